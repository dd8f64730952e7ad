// The first screen: channels, what is expected, what is on its way.
(function () {
  'use strict';
  var t = ui.t, el = ui.el;
  var channelGrade = { ok: 'good', paused: 'warn', offline: 'warn', unconfigured: 'warn', refused: 'bad', blocked: 'bad' };

  ui.screens.overview = {
    live: true,
    show: function (main) {
      return Promise.all([ui.call('GET', '/status'), ui.call('GET', '/uploads?limit=50&state=spotted&state=settled&state=validated&state=packed&state=sent'),
        ui.call('GET', '/expectations'), ui.call('GET', '/uploads?limit=8'), ui.call('GET', ui.query('/statistics', month()))]).then(function (all) {
        var status = all[0];
        ui.alerts(status.open_alerts);
        return status.open_alerts ? ui.call('GET', '/alerts?state=open&limit=3').then(function (list) { return all.concat(list); }) : all;
      }).then(function (all) {
        var status = all[0];
        ui.fill(main,
          head(status),
          status.open_alerts ? troubles(status.open_alerts, all[5].items) : null,
          el('div', { class: 'grid' }, status.channels.map(channel)),
          status.channels.length ? null : ui.empty(t('no_channels')),
          running(all[1].items),
          thisMonth(all[4], all[2].items),
          el('div', { class: 'grid' }, expected(all[2].items), latest(all[3].items)));
      });
    }
  };

  function head(status) {
    return el('div', { class: 'head' }, el('h1', {}, t('nav.overview')),
      el('span', {},
        el('span', { class: 'pill ' + (status.ready ? 'good' : 'bad') }, t(status.ready ? 'ready' : 'not_ready')), ' ',
        status.pace.open ? '' : el('span', { class: 'pill warn' }, t('window_closed', { until: ui.time(status.pace.changes_at) })), ' ',
        ui.session.may_act ? ui.action(t('trigger'), null, trigger, 'primary') : ''),
      ui.session.may_act ? null : el('p', { class: 'soft whole' }, ui.session.role === 'viewer' ? t('look_only.viewer') : t('look_only.open')),
      status.reasons.map(function (r) { return el('p', { class: 'why' }, (r.channel ? t('channel.' + r.channel) + ' · ' : '') + ui.sentence(ui.said(r.text))); }));
  }

  // troubles are the latest open alerts by name: what one is up for at night.
  function troubles(n, items) {
    return el('section', { class: 'troubles' }, el('h2', {}, t('open_alerts', { n: n })), el('ul', {}, items.map(function (a) {
      return el('li', {}, el('strong', {}, ui.sentence(ui.said(a.title))), ' · ', ui.brief(a.opened_at), a.files.slice(0, 3).map(function (f) { return [' · ', el('a', { href: '#/uploads/' + f.upload_id }, f.filename)]; }));
    })), el('p', {}, el('a', { href: '#/alerts' }, t('see_alerts'))));
  }

  function trigger() {
    return ui.call('POST', '/uploads/trigger', {}).then(function (r) {
      ui.notice(t('triggered', { taken: r.items.filter(function (i) { return i.taken; }).length, seen: r.items.length }));
      return ui.refresh();
    });
  }

  function channel(c) {
    var steps = el('div', { role: 'status' });
    var kinds = Object.keys(c.last_accepted).sort();
    return el('section', { 'data-channel': c.name },
      el('div', { class: 'head' }, el('h2', {}, t('channel.' + c.name)), el('span', { class: 'pill ' + (channelGrade[c.state] || 'info') }, t('channel_state.' + c.state))),
      c.state === 'ok' ? null : ui.why(c),
      c.server_message ? el('p', { class: 'soft' }, t('server_says'), ' ', c.server_message) : null,
      ui.pairs([
        [t('backlog'), t('backlog_is', { files: c.backlog.files, bytes: ui.bytes(c.backlog.bytes) }) + (c.backlog.files ? t('oldest', { age: ui.lasting(c.backlog.oldest_seconds) }) : '')],
        [t('parked'), c.backlog.states.failed ? el('a', { href: '#/uploads?channel=' + c.name + '&state=failed' }, String(c.backlog.states.failed)) : null],
        [t('last_accepted'), kinds.length ? kinds.map(function (k) { return el('div', {}, ui.brief(c.last_accepted[k]), ' · ' + ui.kind(k)); }) : t('never')],
        [t('server'), c.server_url],
        [t('directory'), c.watch_dir],
        [t('noticing'), c.watching ? t('watching.' + c.watching) : t('watching.none')],
        [t('settling'), t('settle.' + c.settle_mode)],
        [t('next_probe'), c.next_probe_at ? ui.time(c.next_probe_at) : null]
      ]),
      c.directory.unfit.map(function (u) { return el('p', { class: 'soft' }, u.name, ' · ', ui.sentence(ui.said(u.reason_text))); }),
      ui.session.may_act ? el('div', { class: 'actions' },
        ui.action(t('test'), null, function () { return test(c.name, steps); }),
        c.paused_by || c.state === 'paused' ? ui.action(t('resume'), null, function () { return turn(c.name, 'resume'); })
          : ui.action(t('pause'), t('ask_pause'), function () { return turn(c.name, 'pause'); })) : null,
      steps);
  }

  function turn(name, what) {
    return ui.call('POST', '/channels/' + name + '/' + what).then(function () {
      ui.notice(t('done'));
      return ui.refresh();
    });
  }

  function test(name, steps) {
    ui.hold = true; // the steps are to be read, not refreshed away
    var seen = [], result = null;
    function show() {
      ui.fill(steps, ui.steps(seen), !result ? el('p', { class: 'soft' }, t('testing'))
        : result.ok ? el('p', { class: 'pill good' }, t('test_ok')) : ui.why(result) || el('p', { class: 'pill bad' }, t('test_failed')));
    }
    show();
    return ui.lines('POST', '/channels/' + name + '/test', function (line) {
      if (line.step && line.step.state === 'running') seen.push(line.step);
      else if (line.step) seen[seen.length - 1] = line.step;
      result = line.result || result;
      show();
    }).then(function () {
      if (!result) throw new Error('the answer broke off');
    }).catch(function (e) { ui.fill(steps); throw e; });
  }

  function running(items) {
    return el('section', {}, el('h2', {}, t('running')), items.length ? items.map(function (u) {
      var p = u.progress, left = p && p.bytes_per_second > 0 ? (p.total_bytes - p.sent_bytes) / p.bytes_per_second : 0;
      return el('div', { class: 'running' },
        el('div', { class: 'head' }, el('a', { href: '#/uploads/' + u.id }, u.filename), ui.outcome(u)),
        p ? [el('progress', { max: p.total_bytes || 1, value: p.sent_bytes, 'aria-label': u.filename }),
          el('div', { class: 'soft' }, ui.bytes(p.sent_bytes) + ' / ' + ui.bytes(p.total_bytes) + ' · ' + ui.bytes(p.bytes_per_second) + '/s' + (left ? t('left', { time: ui.lasting(left) }) : ''))]
          : el('div', { class: 'soft' }, ui.sentence(ui.said(u.reason_text)), u.next_attempt_at && u.reason && u.reason !== 'channel_paused' ? ' · ' + t('next_attempt') + ' ' + ui.time(u.next_attempt_at) : ''));
    }) : ui.empty(t('nothing_running')));
  }

  function month() {
    var today = ui.day(new Date());
    return { from: today.slice(0, 8) + '01', to: today };
  }

  // thisMonth is what came and what was missed, day by day: a day that was missed is bad.
  function thisMonth(s, expectations) {
    var kinds = {};
    s.days.concat(expectations).forEach(function (d) { kinds[d.kind] = true; });
    kinds = Object.keys(kinds).sort();
    return el('section', {}, el('h2', {}, t('this_month')), kinds.length ? ui.heat(kinds, ui.dates(s.from, s.to), function (date, kind) {
      var n = ui.tally(s.days.filter(function (d) { return d.date === date && d.kind === kind; }));
      n.bad += expectations.filter(function (e) { return e.kind === kind && e.state === 'late' && ui.day(new Date(e.due_at)) === date; }).length;
      return n;
    }) : ui.empty(t('no_figures')));
  }

  // expected are the files that are late, the latest that came, and those due next.
  function expected(items) {
    var grades = { arrived: 'good', late: 'bad', due: 'info', not_expected: 'info' }, last = {}, next = {}, now = new Date();
    items.forEach(function (e) {
      var key = e.channel + e.kind;
      if (e.state === 'due' || new Date(e.due_at) > now) next[key] = next[key] || e;
      else if (e.state === 'arrived') last[key] = e;
    });
    var shown = items.filter(function (e) { return e.state === 'late' || last[e.channel + e.kind] === e || next[e.channel + e.kind] === e; }).slice(-20);
    return el('section', {}, el('h2', {}, t('expected')), items.length ? ui.table([[t('kind')], [t('deadline'), 'short'], [t('state')]], shown.map(function (e) {
      return [ui.kind(e.kind), ui.brief(e.due_at), el('span', { class: 'pill ' + grades[e.state] }, ui.said(e.state_text))];
    })) : ui.empty(t('nothing_expected')));
  }

  function latest(items) {
    return el('section', {}, el('h2', {}, t('latest')), items.length ? ui.uploadTable(items, true) : ui.empty(t('no_uploads')));
  }
}());
