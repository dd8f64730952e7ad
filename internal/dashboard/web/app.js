// Puts the screens together: words, session, addresses, liveness.
(function () {
  'use strict';
  var t = ui.t, el = ui.el, main = document.getElementById('main'), source, showing = 0, drawn = 0;

  function parse() {
    var parts = location.hash.replace(/^#\/?/, '').split('?'), path = parts[0].split('/'), q = {};
    new URLSearchParams(parts[1] || '').forEach(function (v, k) { q[k] = v; });
    var name = path[0] || 'overview';
    if (name === 'uploads' && path[1]) name = 'upload';
    return { name: ui.screens[name] ? name : 'overview', id: path[1], q: q };
  }

  // show draws the screen of the address; a slower, earlier one is not drawn over
  // it, and a mere renewal not over what is being read.
  function show(renewal) {
    if (!ui.session.may_read) { login(); return Promise.resolve(); }
    var at = parse(), mine = ++showing, sheet = el('div');
    var slow = renewal === 'renewal' ? 0 : setTimeout(busy, 300, true);
    return ui.screens[at.name].show(sheet, at.id, at.q).catch(function (e) {
      ui.fill(sheet, el('p', { class: 'why' }, ui.sayProblem(e)), el('button', { type: 'button', click: ui.refresh }, t('again')));
    }).then(function () {
      clearTimeout(slow);
      if (mine !== showing || !ui.session.may_read) return;
      drawn = mine;
      if (renewal === 'renewal' && ui.hold) return;
      swap(sheet);
    });
  }
  // busy says that the screen asked for is on its way, where that takes a while.
  function busy(yes) {
    main.setAttribute('aria-busy', yes ? 'true' : 'false');
    document.getElementById('busy').textContent = yes ? t('loading') : '';
  }
  // swap keeps the keyboard's place.
  function swap(sheet) {
    busy(false);
    var places = 'a, button, input, select, [tabindex="0"]', at = Array.prototype.indexOf.call(main.querySelectorAll(places), document.activeElement);
    ui.fill(main, sheet);
    var next = at >= 0 && main.querySelectorAll(places)[at];
    if (next) next.focus();
  }
  ui.refresh = function () { ui.hold = false; return show(); };

  function words() {
    return fetch('/ui/words.' + ui.lang + '.json?v=' + document.documentElement.getAttribute('data-version')).then(function (r) { return r.json(); }).then(function (all) {
      ui.words = all;
      document.documentElement.lang = ui.lang === 'zh' ? 'zh-CN' : 'en';
      titled();
      document.getElementById('docs').setAttribute('href', '/docs?lang=' + ui.lang);
      Array.prototype.forEach.call(document.querySelectorAll('[data-t]'), function (e) { e.textContent = t(e.getAttribute('data-t')); });
    });
  }

  // The number of open alerts stands in the navigation and in the tab's title,
  // whatever is being looked at.
  var alerts = 0;
  ui.alerts = function (n) { alerts = n; titled(); };
  function titled() {
    var c = document.getElementById('alerts');
    c.hidden = !alerts;
    ui.fill(c, el('span', { 'aria-hidden': 'true' }, String(alerts)), el('span', { class: 'unseen' }, t('nav.open_alerts', { n: alerts })));
    document.title = (alerts ? '(' + alerts + ') ' : '') + t('title');
    document.getElementById('zone').textContent = ui.session.time_zone ? t('times_are', { zone: ui.zoneSays() }) : '';
  }
  function countAlerts() { return ui.call('GET', '/status').then(function (s) { ui.alerts(s.open_alerts); }, function () { /* the banner tells */ }); }

  function login() {
    ui.alerts(0);
    frame();
    var input = el('input', { type: 'password', id: 'token', autocomplete: 'current-password', required: true }), said = el('p', { class: 'why', role: 'alert', hidden: true });
    ui.fill(main, el('form', { class: 'card login', submit: function (event) {
      event.preventDefault();
      ui.call('POST', '/session', { token: input.value }).then(began, function (e) {
        said.hidden = false;
        said.textContent = e.problem && e.problem.status === 401 ? t('wrong_token') : ui.sayProblem(e);
        input.value = '';
        input.focus();
      });
    } }, el('h1', {}, t('login')), el('p', { class: 'soft' }, t('login_hint')), said, el('label', { for: 'token' }, t('token')), input, el('button', { type: 'submit' }, t('login'))));
    input.focus();
  }

  function frame() {
    document.getElementById('nav').hidden = !ui.session.may_read;
    document.getElementById('logout').hidden = !ui.session.role || ui.session.role === 'none';
    if (!ui.session.may_read) document.getElementById('live').textContent = '';
    var name = parse().name, href = name === 'overview' ? '#/' : '#/' + (name === 'upload' ? 'uploads' : name);
    Array.prototype.forEach.call(document.querySelectorAll('nav a'), function (a) {
      if (a.getAttribute('href') === href) a.setAttribute('aria-current', 'page'); else a.removeAttribute('aria-current');
    });
  }

  function began(session) {
    ui.session = session;
    ui.zone(session.time_zone);
    frame();
    titled();
    if (session.may_read) {
      follow();
      if (parse().name !== 'overview') countAlerts(); // the overview asks anyway
    }
    return show();
  }
  ui.loggedOut = function () {
    if (source) source.close();
    source = null;
    ui.session = { role: 'none', may_read: false, may_act: false, time_zone: ui.session.time_zone };
    login();
  };

  // Changes are told by the server; where that does not work, they are asked for.
  var told, waiting;
  function changed() {
    if (waiting) return;
    waiting = setTimeout(function () { waiting = 0; if (parse().name !== 'overview' || ui.hold) countAlerts(); if (!ui.hold && drawn === showing && ui.screens[parse().name].live) show('renewal'); }, 700);
  }
  function follow() {
    if (source) source.close();
    source = new EventSource('/events');
    source.onopen = function () { told = true; ui.away(false); document.getElementById('live').textContent = t('live'); };
    source.onerror = function () { told = false; if (ui.session.may_read) document.getElementById('live').textContent = t('polled'); };
    source.addEventListener('upload', changed);
  }
  setInterval(function () {
    var sending = main.querySelector('progress');
    if (ui.session.may_read && !document.hidden && (!told || sending)) changed();
  }, 2000);
  setInterval(function () { if (ui.session.may_read && !document.hidden) changed(); }, 15000);

  document.getElementById('lang').addEventListener('click', function () {
    ui.lang = ui.lang === 'zh' ? 'en' : 'zh';
    ui.keep('lang', ui.lang);
    words().then(function () { if (told) document.getElementById('live').textContent = t('live'); return ui.refresh(); }).catch(ui.failed);
  });
  document.getElementById('theme').addEventListener('click', function () {
    ui.theme = ui.theme === 'dark' ? 'light' : 'dark';
    ui.keep('theme', ui.theme);
    document.documentElement.setAttribute('data-theme', ui.theme);
  });
  document.getElementById('logout').addEventListener('click', function () { ui.call('DELETE', '/session').then(ui.loggedOut, ui.failed); });
  window.addEventListener('hashchange', function () { ui.hold = false; ui.notice(''); frame(); show().then(function () { window.scrollTo(0, 0); main.focus(); }); });

  Promise.all([ui.call('GET', '/session'), words()]).then(function (all) { return began(all[0]); }).catch(function () { ui.away(true); setTimeout(function () { location.reload(); }, 5000); });
}());
