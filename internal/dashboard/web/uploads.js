// The list of uploads, one upload, and the check of a dropped file.
(function () {
  'use strict';
  var t = ui.t, el = ui.el;
  var states = ['spotted', 'settled', 'validated', 'packed', 'sent', 'decided', 'retired', 'failed', 'cancelled', 'vanished', 'superseded'];
  var verdicts = ['accepted', 'partially_accepted', 'rejected', 'duplicate', 'invalid', 'unresolved'];
  var severities = { fatal: 'bad', error: 'bad', warning: 'warn' };

  ui.uploadTable = function (items, brief) {
    var heads = [[t('file'), 'name'], [t('outcome')], [t('spotted_at'), 'short'], [t('size'), 'num'], [t('rows'), 'num']];
    return ui.table(brief ? heads.slice(0, 3) : heads, items.map(function (u) {
      var row = [[el('a', { href: '#/uploads/' + u.id }, u.filename), brief ? '' : el('div', { class: 'soft words' }, ui.sentence(ui.said(u.reason_text)))],
        ui.outcome(u), brief ? ui.brief(u.spotted_at) : ui.time(u.spotted_at), ui.bytes(u.size), ui.number(u.rows)];
      return brief ? row.slice(0, 3) : row;
    }));
  };

  ui.screens.uploads = {
    // A page is shown at a time, however many there are: the page stays quick.
    show: function (main, _, q) {
      var asked = { channel: q.channel, kind: q.kind, state: q.state, verdict: q.verdict, filename: q.filename, cursor: q.cursor, limit: 50 };
      if (/^\d{4}-\d\d-\d\d$/.test(q.day)) {
        asked.spotted_after = ui.midnight(q.day).toISOString();
        asked.spotted_before = ui.midnight(ui.later(q.day, 1)).toISOString();
      }
      return Promise.all([ui.call('GET', ui.query('/uploads', asked)), ui.call('GET', '/channels')]).then(function (all) {
        var list = all[0];
        ui.fill(main, el('h1', {}, t('nav.uploads')), el('section', {},
          filters(q, all[1].items.map(function (c) { return c.name; })),
          list.items.length ? ui.uploadTable(list.items) : ui.empty(t('none_fit')),
          el('p', { class: 'actions' },
            q.cursor ? el('button', { type: 'button', class: 'quiet', click: function () { history.back(); } }, t('newer')) : null,
            list.next ? el('a', { class: 'button quiet', href: '#' + ui.query('/uploads', Object.assign({}, q, { cursor: list.next })) }, t('older')) : null)));
      });
    }
  };

  function filters(q, channels) {
    function choice(name, values, word) {
      return el('label', {}, t('filter.' + name), el('select', { name: name }, el('option', { value: '' }, t('all')), values.map(function (v) {
        return el('option', { value: v, selected: q[name] === v }, word(v));
      })));
    }
    function text(name, type) { return el('label', {}, t('filter.' + name), el('input', { name: name, type: type, value: q[name], maxlength: 255 })); }
    return el('form', { class: 'filters', submit: function (event) {
      event.preventDefault();
      var asked = {};
      Array.prototype.forEach.call(event.target.elements, function (e) { if (e.name) asked[e.name] = e.value.trim(); });
      location.hash = ui.query('/uploads', asked);
    } },
    text('filename', 'search'),
    choice('channel', channels, function (v) { return t('channel.' + v); }),
    choice('kind', ['flu', 'hqms', 'hda', 'hdr', 'pdr', 'lis'], ui.kind),
    choice('verdict', verdicts, function (v) { return t('verdict.' + v); }),
    choice('state', states, function (v) { return t('state.' + v); }),
    text('day', 'date'),
    el('button', { type: 'submit' }, t('search')),
    el('a', { class: 'button quiet', href: '#/uploads' }, t('clear')));
  }

  ui.screens.upload = {
    live: true,
    show: function (main, id, q) {
      return Promise.all([ui.call('GET', '/uploads/' + encodeURIComponent(id)),
        ui.call('GET', ui.query('/uploads/' + encodeURIComponent(id) + '/findings', { limit: 200, severity: q.severity }))]).then(function (all) {
        var u = all[0];
        ui.fill(main, el('div', { class: 'head' }, el('h1', {}, u.filename), ui.outcome(u)), ui.why(u), actions(u),
          el('div', { class: 'grid' }, facts(u), timeline(u.events)), receipt(u.receipt), findings(u, all[1], q));
      });
    }
  };

  function actions(u) {
    if (!ui.session.may_act) return null;
    function act(what) {
      return function () {
        return ui.call('POST', '/uploads/' + u.id + '/' + what).then(function (now) {
          function said() { ui.notice(t('acted.' + what)); }
          if (now.id === u.id) return ui.refresh().then(said);
          window.addEventListener('hashchange', said, { once: true }); // after the one that takes notices away
          location.hash = '/uploads/' + now.id;
        });
      };
    }
    var put = u.place === 'archive' || u.place === 'quarantine';
    return el('div', { class: 'actions card' },
      !u.finished_at || u.verdict === 'unresolved' ? ui.action(t('retry'), null, act('retry')) : null,
      u.finished_at || u.state === 'decided' ? null : ui.action(t('cancel'), t('ask_cancel'), act('cancel'), 'danger'),
      put ? ui.action(t('restore'), t('ask_restore'), act('restore')) : null,
      !put && u.finished_at && u.verdict !== 'unresolved' ? el('span', { class: 'soft' }, t('nothing_to_do')) : null);
  }

  function facts(u) {
    return el('section', {}, el('h2', {}, t('facts')), ui.pairs([
      [t('filter.channel'), t('channel.' + u.channel)], [t('kind'), ui.kind(u.kind)], [t('state'), t('state.' + u.state)],
      [t('size'), ui.bytes(u.size)], [t('packed_size'), u.packed_size === null ? null : ui.bytes(u.packed_size)],
      [t('rows'), u.rows === null ? null : ui.number(u.rows)], [t('charset'), u.charset], [t('standard'), u.standard],
      [t('place'), t('place.' + u.place)], [t('path'), u.path], [t('digest'), u.digest ? el('code', {}, u.digest) : null], [t('attempts'), u.attempt || null],
      [t('next_attempt'), u.next_attempt_at && !u.finished_at && u.reason !== 'channel_paused' ? ui.time(u.next_attempt_at) : null], [t('detail'), u.detail],
      [t('trace'), u.trace_id], [t('upload_id'), u.id]
    ]));
  }

  function timeline(events) {
    return el('section', {}, el('h2', {}, t('timeline')), el('ol', { class: 'line' }, events.map(function (e, i) {
      var took = i ? (new Date(e.at) - new Date(events[i - 1].at)) / 1000 : 0;
      return el('li', {}, el('strong', {}, e.from === e.to ? t('still', { state: t('state.' + e.to) }) : t('state.' + e.to)), e.verdict ? ' · ' + t('verdict.' + e.verdict) : '',
        el('div', { class: 'soft' }, ui.time(e.at) + (i ? ' · +' + ui.lasting(took) : '')),
        e.reason_text ? el('div', {}, ui.sentence(ui.said(e.reason_text))) : '', e.detail ? el('div', { class: 'soft' }, e.detail) : '');
    })));
  }

  function receipt(r) {
    if (!r) return null;
    var g = r.grades;
    return el('section', {}, el('h2', {}, t('receipt')), ui.pairs([
      [t('server_id'), r.server_id], [t('server_code'), r.code], [t('server_says'), r.server_message], [t('loaded_at'), r.loaded_at], [t('received_at'), ui.time(r.at)],
      [t('stocked'), g ? ui.number(g.stocked) + ' / ' + ui.number(g.total) : null]
    ]), g ? ui.table([[t('grade0'), 'num'], [t('grade1'), 'num'], [t('grade2'), 'num'], [t('grade3'), 'num']], [[g.grade0, g.grade1, g.grade2, g.grade3].map(ui.number)]) : null);
  }

  function findings(u, list, q) {
    var n = u.findings, base = '#/uploads/' + u.id;
    return el('section', {}, el('div', { class: 'head' }, el('h2', {}, t('findings')),
      el('a', { class: 'button quiet', href: '/uploads/' + encodeURIComponent(u.id) + '/findings?format=csv', download: true }, t('csv'))),
    el('p', { class: 'actions' }, el('a', { href: base, class: 'pill' }, t('all')), Object.keys(severities).map(function (s) {
      return el('a', { href: base + '?severity=' + s, class: 'pill ' + severities[s], 'aria-current': q.severity === s ? 'true' : null }, t('severity.' + s) + ' ' + ui.number(n[s]));
    })),
    list.items.length ? findingTable(list.items) : ui.empty(t('no_findings')),
    list.next ? el('p', { class: 'soft' }, t('more_findings')) : null);
  }

  function findingTable(items) {
    return ui.table([[t('row'), 'num'], [t('column')], [t('finding')], [t('rule')]], items.map(function (f) {
      return [f.row === null ? '–' : f.row, f.column || '–', [el('span', { class: 'pill ' + severities[f.severity] }, t('severity.' + f.severity)), ' ', ui.sentence(ui.said(f.text))], f.rule];
    }));
  }

  ui.screens.validate = {
    show: function (main) {
      var out = el('div', { role: 'status' });
      // The browser's own button speaks the browser's language: it is there for the
      // keyboard and for screen readers, and its label is what is seen.
      var input = el('input', { type: 'file', accept: '.csv', id: 'chosen', class: 'unseen', change: function () { if (input.files[0]) check(input.files[0], out); input.value = ''; } });
      var drop = el('div', { class: 'drop',
        dragover: function (e) { e.preventDefault(); drop.classList.add('over'); },
        dragleave: function () { drop.classList.remove('over'); },
        drop: function (e) { e.preventDefault(); drop.classList.remove('over'); if (e.dataTransfer.files[0]) check(e.dataTransfer.files[0], out); }
      }, el('p', {}, t('drop_here')), input, el('label', { for: 'chosen', class: 'button' }, t('choose')), el('p', { class: 'soft' }, t('drop_keeps_nothing')));
      ui.fill(main, el('h1', {}, t('nav.validate')), el('section', {}, drop), out);
      return Promise.resolve();
    }
  };

  function check(file, out) {
    ui.fill(out, ui.empty(t('checking')));
    ui.call('POST', ui.query('/validate', { filename: file.name }), file, 'text/csv').then(function (r) {
      var bad = r.findings.fatal + r.findings.error;
      ui.fill(out, el('section', {}, el('div', { class: 'head' }, el('h2', {}, r.file), el('span', { class: 'pill ' + (bad ? 'bad' : 'good') }, t(bad ? 'has_errors' : 'is_clean'))),
        ui.pairs([[t('kind'), ui.kind(r.kind)], [t('standard'), r.standard], [t('charset'), r.charset], [t('rows'), ui.number(r.rows)], [t('rows_in_error'), ui.number(r.rows_in_error)]]),
        r.items.length ? findingTable(r.items) : ui.empty(t('no_findings'))));
    }, function (e) { ui.fill(out, el('p', { class: 'why' }, ui.sayProblem(e))); });
  }
}());
