// Alerts, the log and the settings.
(function () {
  'use strict';
  var t = ui.t, el = ui.el;
  var severities = { critical: 'bad', warning: 'warn' }, alertStates = { open: 'bad', acknowledged: 'info', resolved: 'good' };
  var levels = { debug: 'info', info: 'info', warn: 'warn', error: 'bad' };

  function choice(label, name, values, word, chosen) {
    return el('label', {}, label, el('select', { name: name }, values.map(function (v) {
      return el('option', { value: v, selected: chosen === v }, word(v));
    })));
  }
  function form(screen, fields) {
    return el('form', { class: 'filters', submit: function (event) {
      event.preventDefault();
      var asked = {};
      Array.prototype.forEach.call(event.target.elements, function (e) { if (e.name) asked[e.name] = e.value.trim(); });
      location.hash = ui.query('/' + screen, asked);
    } }, fields, el('button', { type: 'submit' }, t('search')));
  }
  function pages(screen, q, next) {
    return el('p', { class: 'actions' },
      q.cursor ? el('button', { type: 'button', class: 'quiet', click: function () { history.back(); } }, t('newer')) : null,
      next ? el('a', { class: 'button quiet', href: '#' + ui.query('/' + screen, Object.assign({}, q, { cursor: next })) }, t('older')) : null);
  }

  ui.screens.alerts = {
    live: true,
    show: function (main, _, q) {
      return ui.call('GET', ui.query('/alerts', { state: q.state, cursor: q.cursor, limit: 50 })).then(function (list) {
        var steps = el('div', { role: 'status' });
        ui.fill(main, el('div', { class: 'head' }, el('h1', {}, t('nav.alerts')),
          ui.session.may_act ? ui.action(t('alert.test'), null, function () { return test(steps); }) : null),
        steps,
        el('section', {},
          form('alerts', choice(t('alerts.shown'), 'state', ['open', 'all'], function (v) { return t('alerts.' + v); }, q.state || 'open')),
          list.items.length ? list.items.map(one) : ui.empty(q.state === 'all' ? t('alerts.none_ever') : t('alerts.none')),
          pages('alerts', q, list.next)));
      });
    }
  };

  function test(steps) {
    ui.hold = true; // the steps are to be read, not refreshed away
    ui.fill(steps, el('p', { class: 'soft' }, t('testing')));
    return ui.call('POST', '/alerts/test').then(function (r) {
      ui.fill(steps, el('section', {}, ui.steps(r.steps), el('p', {}, el('span', { class: 'pill ' + (r.ok ? 'good' : 'bad') }, t(r.ok ? 'alert.test_ok' : 'alert.test_failed')))));
    }, function (e) { ui.hold = false; ui.fill(steps, el('p', { class: 'why' }, ui.sayProblem(e))); });
  }

  function one(a) {
    var d = a.delivery;
    return el('article', { class: 'running', 'data-alert': a.id },
      el('div', { class: 'head' }, el('h2', {}, ui.sentence(ui.said(a.title))), el('span', {},
        el('span', { class: 'pill ' + (severities[a.severity] || 'info') }, t('alert.' + a.severity)), ' ',
        el('span', { class: 'pill ' + alertStates[a.state] }, t('alert.' + a.state)))),
      el('p', { class: 'lines' }, ui.said(a.text)),
      a.remedy ? el('p', { class: 'soft lines' }, ui.sentence(ui.said(a.remedy))) : null,
      a.files.length ? el('p', {}, a.files.map(function (f) { return [el('a', { href: '#/uploads/' + f.upload_id }, f.filename), ' ']; })) : null,
      el('p', { class: 'soft' }, t('alert.opened_at') + ' ' + ui.time(a.opened_at),
        a.acknowledged_at ? ' · ' + t('alert.acknowledged') + ' ' + ui.time(a.acknowledged_at) : '',
        a.resolved_at ? ' · ' + t('alert.resolved') + ' ' + ui.time(a.resolved_at) : '',
        d.delivered ? ' · ' + t('alert.delivered', { n: d.delivered }) + ' ' + ui.time(d.delivered_at) : ' · ' + t('alert.undelivered'),
        d.last_error ? ' · ' + t('alert.delivery_failed') + ' ' + d.last_error : ''),
      ui.session.may_act && a.state === 'open' ? ui.action(t('alert.acknowledge'), null, function () {
        return ui.call('POST', '/alerts/' + encodeURIComponent(a.id) + '/acknowledge').then(function () {
          ui.notice(t('alert.acknowledge_done'));
          return ui.refresh();
        });
      }) : null);
  }

  ui.screens.logs = {
    live: true,
    show: function (main, _, q) {
      return Promise.all([ui.call('GET', ui.query('/logs', { level: q.level || 'info', channel: q.channel, upload_id: q.upload_id, cursor: q.cursor, limit: 100 })), ui.call('GET', '/channels')]).then(function (all) {
        var list = all[0], channels = all[1].items.map(function (c) { return c.name; });
        ui.fill(main, el('h1', {}, t('nav.logs')), el('p', { class: 'soft' }, t('logs_are')), el('section', {},
          form('logs', [choice(t('filter.level'), 'level', ['debug', 'info', 'warn', 'error'], function (v) { return t('level.' + v); }, q.level || 'info'),
            choice(t('filter.channel'), 'channel', [''].concat(channels), function (v) { return v ? t('channel.' + v) : t('all'); }, q.channel || ''),
            el('label', {}, t('upload_id'), el('input', { name: 'upload_id', value: q.upload_id, maxlength: 64 }))]),
          list.items.length ? ui.table([[t('time'), 'short'], [t('level')], [t('finding'), 'name']], list.items.map(function (l) {
            return [ui.time(l.time), el('span', { class: 'pill ' + levels[l.level] }, t('level.' + l.level)),
              [el('div', { class: 'words', title: l.message }, ui.said(l.text) || l.message), el('div', { class: 'soft' }, fields(l.attributes))]];
          })) : ui.empty(t('none_fit')),
          pages('logs', q, list.next)));
      });
    }
  };
  // fields shows first, and in words, what people ask for; then the rest as it is in the log.
  var first = ['channel', 'filename', 'stage', 'from', 'state', 'verdict', 'attempt', 'reason', 'upload_id'];
  var worded = { channel: 'channel.', from: 'state.', state: 'state.', verdict: 'verdict.', stage: 'stage.' };
  function fields(all) {
    var rest = Object.keys(all).filter(function (k) { return first.indexOf(k) < 0; });
    return first.filter(function (k) { return k in all; }).concat(rest).map(function (k) { return field(k, all[k]); });
  }
  function field(k, v) {
    var text = typeof v === 'string' ? v : JSON.stringify(v), word = worded[k] + text;
    if (ui.words[word]) text = t(word);
    else if (k === 'state' && ui.words['channel_state.' + text]) text = t('channel_state.' + text);
    return el('span', { class: 'field' }, (first.indexOf(k) < 0 ? k : t('field.' + k)) + ': ', k === 'upload_id' ? el('a', { href: '#/uploads/' + encodeURIComponent(text) }, text) : text);
  }

  ui.screens.configuration = {
    show: function (main) {
      return ui.call('GET', '/configuration').then(function (c) {
        function from(usual) { return c.items.filter(function (s) { return (s.source === 'default') === usual; }); }
        ui.fill(main, el('h1', {}, t('nav.configuration')), el('p', { class: 'soft' }, t('configuration_is')),
          el('section', {}, el('h2', {}, t('settings_given')), settings(from(false))),
          el('section', {}, el('h2', {}, t('settings_usual')), settings(from(true))));
      });
    }
  };
  function settings(all) {
    return ui.table([[t('variable'), 'short'], [t('value'), 'name'], [t('source'), 'short'], [t('meaning'), 'wide']], all.map(function (s) {
      var value = s.secret ? el('span', { class: 'pill' + (s.set ? ' good' : '') }, t(s.set ? 'is_set' : 'is_not_set')) : s.value === null ? '–' : s.value;
      return [el('code', {}, s.variable), value, el('span', { class: s.source === 'default' ? 'soft' : '' }, t('source.' + s.source)), ui.marked(ui.sentence(ui.said(s.meaning)))];
    }));
  }
}());
