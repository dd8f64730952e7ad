// What all screens share: words, calls, elements. Whatever comes from outside is
// put on the page as text only.
(function () {
  'use strict';
  var ui = window.ui = { words: {}, screens: {}, session: { may_read: false, may_act: false } };

  function kept(key) { try { return localStorage.getItem(key); } catch (e) { return null; } }
  ui.keep = function (key, value) { try { localStorage.setItem(key, value); } catch (e) { /* private window: not kept */ } };
  ui.lang = kept('lang') === 'en' ? 'en' : 'zh';
  ui.theme = kept('theme') || (window.matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  document.documentElement.setAttribute('data-theme', ui.theme);

  // t gives a word of the catalogue, its {parameters} filled in.
  function t(id, params) {
    var text = ui.words[id] || id;
    return text.replace(/\{([a-z_]+)\}/g, function (all, name) { return params && name in params ? params[name] : all; });
  }
  ui.t = t;
  // said gives the API's own two-language texts in the language shown.
  ui.said = function (text) { return text ? text[ui.lang] : ''; };
  // sentence begins a text that stands by itself as a sentence does.
  ui.sentence = function (text) { return text.charAt(0).toUpperCase() + text.slice(1); };

  // el makes an element: attributes by name, functions as listeners, the rest as
  // children; texts become text nodes.
  ui.el = function (tag, attributes) {
    var svg = ui.el.svg.indexOf(tag) >= 0;
    var e = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (k) {
      var v = attributes[k];
      if (typeof v === 'function') e.addEventListener(k, v);
      else if (v !== undefined && v !== null && v !== false) e.setAttribute(k, v === true ? '' : v);
    });
    Array.prototype.slice.call(arguments, 2).forEach(function add(child) {
      if (Array.isArray(child)) child.forEach(add);
      else if (child !== null && child !== undefined && child !== '') e.appendChild(child.nodeType ? child : document.createTextNode(String(child)));
    });
    return e;
  };
  ui.el.svg = ['svg', 'rect', 'text', 'g'];
  ui.fill = function (parent) {
    while (parent.firstChild) parent.removeChild(parent.firstChild);
    Array.prototype.slice.call(arguments, 1).forEach(function (c) { if (c) parent.appendChild(c); });
  };

  function ask(method, path, accept, body, type) {
    var headers = { Accept: accept };
    if (method !== 'GET') headers['X-Hqms-Session'] = '1';
    if (body !== undefined) headers['Content-Type'] = type || 'application/json';
    var sent = body === undefined ? undefined : type ? body : JSON.stringify(body);
    return fetch(path, { method: method, headers: headers, body: sent, credentials: 'same-origin', cache: 'no-store' }).then(function (r) {
      ui.away(false);
      return r;
    }, function (e) { ui.away(true); throw e; });
  }
  function whole(path, r) {
    return r.json().then(function (json) {
      if (r.ok) return json;
      if (r.status === 401 && path !== '/session') ui.loggedOut();
      throw { problem: json };
    }, function (e) { throw { problem: { title: String(r.status), title_zh: String(r.status) }, cause: e }; });
  }
  // call asks the API; a refusal rejects with its problem.
  ui.call = function (method, path, body, type) {
    return ask(method, path, 'application/json', body, type).then(function (r) { return whole(path, r); });
  };
  // lines asks the API and hands on each line of the answer as it comes; where the
  // browser cannot read a stream, all at its end.
  ui.lines = function (method, path, each) {
    return ask(method, path, 'application/x-ndjson').then(function (r) {
      if (!r.ok) return whole(path, r);
      var rest = '';
      function take(text) {
        var all = (rest + text).split('\n');
        rest = all.pop();
        all.forEach(function (line) { each(JSON.parse(line)); });
      }
      if (!r.body || !window.TextDecoder) return r.text().then(take);
      var reader = r.body.getReader(), decoder = new TextDecoder();
      return reader.read().then(function next(part) {
        if (part.done) return undefined;
        take(decoder.decode(part.value, { stream: true }));
        return reader.read().then(next);
      });
    });
  };
  ui.query = function (path, q) {
    var all = Object.keys(q).filter(function (k) { return q[k]; }).map(function (k) { return k + '=' + encodeURIComponent(q[k]); });
    return path + (all.length ? '?' + all.join('&') : '');
  };
  ui.away = function (yes) {
    var b = document.getElementById('banner');
    b.hidden = !yes;
    b.textContent = yes ? t('away') : '';
  };
  ui.sayProblem = function (e) {
    var p = e && e.problem;
    if (!p) return t('away');
    var title = ui.lang === 'zh' ? p.title_zh || p.title : p.title;
    var more = ui.said(p.remedy) || p.detail || '';
    return title + (more ? (ui.lang === 'zh' ? '：' : ': ') + more : '');
  };
  // notice says what has come of an action, until another screen is shown. The
  // place stays in the page, empty, or a screen reader would not hear of it.
  var hiding;
  ui.notice = function (text) {
    document.getElementById('notice').textContent = text;
    clearTimeout(hiding);
    hiding = text ? setTimeout(ui.notice, 7000, '') : 0;
  };
  ui.failed = function (e) { ui.notice(ui.sayProblem(e)); };
  // action is a button for operators: asked first where it matters, its end said.
  ui.action = function (label, ask, run, style) {
    return ui.el('button', { type: 'button', class: style || 'quiet', click: function (event) {
      if (ask && !window.confirm(ask)) return;
      var b = event.currentTarget;
      b.disabled = true;
      run().catch(ui.failed).then(function () { b.disabled = false; });
    } }, label);
  };

  var el = ui.el, units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  ui.bytes = function (n) {
    if (n === null || n === undefined) return '–';
    var i = 0;
    while (n >= 1024 && i < 4) { n /= 1024; i++; }
    return (i && n < 100 ? n.toFixed(1) : Math.round(n)) + ' ' + units[i];
  };
  ui.number = function (n) { return n === null || n === undefined ? '–' : n.toLocaleString('en-US'); };
  // Times are shown by the clocks of the program's time zone, wherever the browser
  // is: deadlines and days are of that zone, and the log and the colleague on the
  // telephone go by it, too.
  var zone = 'UTC', clocks;
  ui.zone = function (name) {
    if (!name || name === zone) return;
    try {
      clocks = /^[+-]/.test(name) ? null : new Intl.DateTimeFormat('en-US', { timeZone: name, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' });
      zone = name;
    } catch (e) { /* a zone that this browser does not know: UTC is shown, and said */ }
  };
  // wall is a moment as if the zone's clocks showed UTC: its UTC parts are what they show.
  function wall(moment) {
    if (!clocks) {
      var m = /^([+-])(\d\d):(\d\d)$/.exec(zone);
      return new Date(moment.getTime() + (m ? (m[1] === '-' ? -1 : 1) * (m[2] * 60 + +m[3]) * 60000 : 0));
    }
    var p = {};
    clocks.formatToParts(moment).forEach(function (x) { p[x.type] = +x.value; });
    return new Date(Date.UTC(p.year, p.month - 1, p.day, p.hour % 24, p.minute, p.second));
  }
  function ahead(moment) { return Math.round((wall(moment) - moment) / 60000) * 60000; }
  // midnight is the moment a day begins.
  ui.midnight = function (day) {
    var clock = new Date(day + 'T00:00:00Z'), near = new Date(clock - ahead(clock));
    return new Date(clock - ahead(near));
  };
  // zoneSays names the zone and by how much it is ahead of UTC now.
  ui.zoneSays = function () {
    var a = ahead(new Date()) / 60000, utc = 'UTC' + (a ? new Date(Math.abs(a) * 60000).toISOString().replace(/.*T(\d\d:\d\d).*/, (a < 0 ? '-' : '+') + '$1') : '');
    return clocks && zone !== 'UTC' ? zone + ' (' + utc + ')' : utc;
  };
  ui.day = function (moment) { return wall(moment).toISOString().slice(0, 10); };
  // brief leaves out what a list of the last days does not need.
  ui.brief = function (text) { return text ? el('time', { datetime: text, title: ui.time(text) }, ui.time(text).slice(5, 16)) : '–'; };
  ui.time = function (text) { return text ? wall(new Date(text)).toISOString().slice(0, 19).replace('T', ' ') : '–'; };
  ui.lasting = function (s) {
    if (s < 1) return Math.round(s * 1000) + ' ms';
    if (s < 60) return s.toFixed(1) + ' s';
    if (s < 3600) return Math.floor(s / 60) + ' min ' + Math.round(s % 60) + ' s';
    if (s < 172800) return Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min';
    return t('days', { n: Math.floor(s / 86400) });
  };
  var verdicts = { accepted: 'good', duplicate: 'good', partially_accepted: 'warn', unresolved: 'warn', rejected: 'bad', invalid: 'bad' };
  ui.grade = function (verdict) { return verdicts[verdict] || 'info'; };
  ui.outcome = function (u) {
    if (u.verdict) return ui.el('span', { class: 'pill ' + ui.grade(u.verdict) }, t('verdict.' + u.verdict));
    return ui.el('span', { class: 'pill' + (u.state === 'failed' ? ' bad' : '') }, t('state.' + u.state));
  };
  ui.pairs = function (rows) {
    return ui.el('dl', {}, rows.filter(function (r) { return r[1] !== null && r[1] !== undefined && r[1] !== ''; }).map(function (r) {
      return [ui.el('dt', {}, r[0]), ui.el('dd', {}, r[1])];
    }));
  };
  ui.table = function (heads, rows) {
    return ui.el('div', { class: 'scroll', tabindex: '0' }, ui.el('table', {},
      ui.el('thead', {}, ui.el('tr', {}, heads.map(function (h) { return ui.el('th', { scope: 'col', class: h[1] }, h[0]); }))),
      ui.el('tbody', {}, rows.map(function (r) { return ui.el('tr', {}, r.map(function (c, i) { return ui.el('td', { class: heads[i][1], 'data-head': heads[i][0] }, ui.el('div', {}, c)); })); }))));
  };
  var stepGrades = { running: 'info', passed: 'good', warning: 'warn', failed: 'bad' };
  // steps are those of a test, each with how far it has come.
  ui.steps = function (all) {
    return ui.el('ul', { class: 'line' }, all.map(function (s) {
      return ui.el('li', { 'data-step': s.name, 'data-state': s.state }, ui.el('span', { class: 'pill ' + stepGrades[s.state] }, t('step.' + s.state)), ' ' + ui.said(s.text), s.state === 'running' ? '' : ' · ' + ui.lasting(s.seconds), s.detail ? ui.el('div', { class: 'soft' }, s.detail) : '');
    }));
  };
  // kind is a kind of file by its code and the standards' own title.
  ui.kind = function (k) { return ui.words['kind.' + k] ? k + ' ' + t('kind.' + k) : k; };
  // heat is a square for each date and kind; tallied gives how many are good, warn, info and bad.
  ui.heat = function (kinds, dates, tallied) {
    return ui.el('div', {}, kinds.map(function (kind) {
      return ui.el('div', { class: 'month' }, ui.el('strong', {}, ui.kind(kind)), ui.el('div', { class: 'heat' }, dates.map(function (date) {
        var n = tallied(date, kind), grade = n.bad ? 'bad' : n.warn ? 'warn' : n.info ? 'info' : n.good ? 'good' : '';
        var text = date + ': ' + t('heat_is', n), today = date === ui.day(new Date());
        return ui.el('span', { class: grade + (today ? ' today' : ''), title: text, role: 'img', 'aria-label': text }, date.slice(8));
      })));
    }), ui.legend(['good', 'info', 'warn', 'bad']));
  };
  ui.legend = function (grades) {
    return ui.el('p', { class: 'legend' }, grades.map(function (g) { return [ui.el('span', { class: 'pill ' + g }, t('legend.' + g)), ' ']; }));
  };
  // later is the date so many days after a date.
  ui.later = function (date, days) {
    var d = new Date(date + 'T00:00:00Z');
    d.setUTCDate(d.getUTCDate() + days);
    return d.toISOString().slice(0, 10);
  };
  // dates are the days from one to another.
  ui.dates = function (from, to) {
    var all = [];
    for (var d = from; d <= to; d = ui.later(d, 1)) all.push(d);
    return all;
  };
  // tally sums the verdicts of days by how good they are.
  ui.tally = function (days) {
    var n = { good: 0, warn: 0, bad: 0, info: 0 };
    days.forEach(function (d) {
      n.info += d.undecided - d.ended; // what ended without a verdict waits for none
      Object.keys(d.verdicts).forEach(function (v) { n[ui.grade(v)] += d.verdicts[v]; });
    });
    return n;
  };
  // marked shows what stands between backticks as code.
  ui.marked = function (text) { return text.split('`').map(function (part, i) { return i % 2 ? ui.el('code', {}, part) : part; }); };
  ui.empty = function (text) { return ui.el('p', { class: 'empty' }, text); };
  ui.why = function (o) {
    var text = ui.said(o.reason_text), remedy = ui.said(o.remedy);
    return text ? ui.el('p', { class: 'why' }, ui.sentence(text), remedy ? ui.el('br') : '', ui.sentence(remedy)) : null;
  };
}());
