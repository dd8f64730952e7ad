// Charts and the reconciliation.
(function () {
  'use strict';
  var t = ui.t, el = ui.el;

  function back(n) { var d = new Date(); d.setDate(d.getDate() - n); return ui.day(d); }

  ui.screens.charts = {
    show: function (main) {
      return ui.call('GET', ui.query('/statistics', { from: back(29), to: back(0) })).then(function (s) {
        ui.fill(main, el('h1', {}, t('nav.charts')), el('p', { class: 'soft' }, s.from + ' – ' + s.to),
          el('section', {}, el('h2', {}, t('chart.heat')), s.days.length ? heat(s) : ui.empty(t('no_figures'))),
          el('section', {}, el('h2', {}, t('chart.days')), s.days.length ? perDay(s) : ui.empty(t('no_figures'))),
          el('div', { class: 'grid' },
            el('section', {}, el('h2', {}, t('chart.stages')), ui.table([[t('stage')], [t('half'), 'num'], [t('most'), 'num']], s.stages.map(function (x) {
              return [t('stage.' + x.stage), ui.lasting(x.p50_seconds), ui.lasting(x.p95_seconds)];
            }))),
            el('section', {}, el('h2', {}, t('chart.compression')), ratios(s.days))),
          el('section', {}, el('h2', {}, t('chart.rules')), s.findings.length ? ui.table([[t('rule')], [t('finding')], [t('count'), 'num'], [t('files'), 'num']], s.findings.map(function (f) {
            return [f.rule, ui.said(f.text), ui.number(f.count), ui.number(f.files)];
          })) : ui.empty(t('no_findings'))));
      });
    }
  };

  function heat(s) {
    var kinds = {};
    s.days.forEach(function (d) { kinds[d.kind] = true; });
    return ui.heat(Object.keys(kinds).sort(), ui.dates(s.from, s.to), function (date, kind) {
      return ui.tally(s.days.filter(function (d) { return d.date === date && d.kind === kind; }));
    });
  }

  function perDay(s) {
    var all = ui.dates(s.from, s.to).map(function (date) { return { date: date, n: ui.tally(s.days.filter(function (d) { return d.date === date; })) }; });
    var top = Math.max.apply(null, all.map(function (d) { return d.n.good + d.n.warn + d.n.bad + d.n.info; })) || 1;
    var wide = 900 / all.length;
    return el('div', {}, el('svg', { class: 'chart', viewBox: '0 0 900 200', role: 'img', 'aria-label': t('chart.days') }, all.map(function (d, i) {
      var y = 175;
      return ['good', 'info', 'warn', 'bad'].map(function (g) {
        var h = d.n[g] / top * 160;
        y -= h;
        return el('rect', { class: g, x: i * wide + 3, y: y, width: wide - 6, height: h });
      }).concat(i % 5 ? [] : [el('text', { x: i * wide, y: 193 }, d.date.slice(5))]);
    }), el('text', { x: 0, y: 11 }, String(top))),
    el('p', {}, ['good', 'info', 'warn', 'bad'].map(function (g) { return [el('span', { class: 'pill ' + g }, t('legend.' + g)), ' ']; })));
  }

  function ratios(days) {
    var kinds = {};
    days.forEach(function (d) {
      var k = kinds[d.kind] = kinds[d.kind] || [0, 0];
      if (d.packed_bytes) { k[0] += d.packed_bytes * d.compression_ratio; k[1] += d.packed_bytes; }
    });
    var rows = Object.keys(kinds).sort().filter(function (k) { return kinds[k][1]; });
    return rows.length ? ui.table([[t('kind')], [t('size'), 'num'], [t('packed_size'), 'num'], [t('ratio'), 'num']], rows.map(function (k) {
      return [ui.kind(k), ui.bytes(kinds[k][0]), ui.bytes(kinds[k][1]), (kinds[k][0] / kinds[k][1]).toFixed(1) + '×'];
    })) : ui.empty(t('no_figures'));
  }

  ui.screens.reconciliation = {
    show: function (main, _, q) {
      var month = /^\d{4}-\d{2}$/.test(q.month || '') ? q.month : back(0).slice(0, 7);
      var last = new Date(Number(month.slice(0, 4)), Number(month.slice(5)), 0);
      var span = { from: month + '-01', to: ui.day(last), group: 'month' };
      return ui.call('GET', ui.query('/reconciliation', span)).then(function (r) {
        var csv = ui.query('/reconciliation', { from: span.from, to: span.to, group: 'file', format: 'csv' });
        ui.fill(main, el('h1', {}, t('nav.reconciliation')), el('section', {},
          el('div', { class: 'head' }, el('label', {}, t('month'), el('input', { type: 'month', value: month, change: function (e) { location.hash = ui.query('/reconciliation', { month: e.target.value }); } })),
            el('div', { class: 'actions' },
              el('a', { class: 'button quiet', target: '_blank', rel: 'noopener', href: ui.query('/reconciliation/statement', { month: month, lang: ui.lang }) }, t('statement')),
              el('a', { class: 'button quiet', href: csv, download: true }, t('csv')))),
          r.items.length ? [el('p', { class: 'pill ' + (r.total.balanced ? 'good' : 'warn') }, t(r.total.balanced ? 'balanced' : 'unbalanced')),
            ui.table([[t('kind')], [t('files'), 'num'], [t('exported'), 'num'], [t('checked'), 'num'], [t('sent'), 'num'], [t('stored'), 'num'], [t('gaps')]], r.items.map(line))]
            : ui.empty(t('no_uploads'))));
      });
    }
  };

  function line(i) {
    return [ui.kind(i.kind), ui.number(i.files), ui.number(i.rows.exported), ui.number(i.rows.checked), ui.number(i.rows.sent), ui.number(i.rows.stored),
      i.gaps.length ? i.gaps.map(function (g) { return el('div', {}, ui.said(g.text) + ' · ' + t('gap_is', { files: g.files, rows: g.rows })); }) : '–'];
  }
}());
