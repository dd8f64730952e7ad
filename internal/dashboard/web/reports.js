// Charts and the reconciliation.
(function () {
  'use strict';
  var t = ui.t, el = ui.el;

  function back(n) { return ui.later(ui.day(new Date()), -n); }

  ui.screens.charts = {
    show: function (main) {
      return ui.call('GET', ui.query('/statistics', { from: back(29), to: back(0) })).then(function (s) {
        ui.fill(main, el('h1', {}, t('nav.charts')), el('p', { class: 'soft' }, s.from + ' – ' + s.to),
          el('section', {}, el('h2', {}, t('chart.heat')), s.days.length ? heat(s) : ui.empty(t('no_figures'))),
          el('section', {}, el('h2', {}, t('chart.days')), s.days.length ? perDay(s) : ui.empty(t('no_figures'))),
          el('div', { class: 'grid' },
            el('section', {}, el('h2', {}, t('chart.stages')), ui.table([[t('stage')], [t('half'), 'num'], [t('most'), 'num']], s.stages.map(function (x) {
              return [t('stage.' + x.stage), ui.lasting(x.p50_seconds), ui.lasting(x.p95_seconds)];
            })), el('p', { class: 'soft' }, t('stages_are'))),
            el('section', {}, el('h2', {}, t('chart.compression')), ratios(s.days))),
          el('section', {}, el('h2', {}, t('chart.rules')), s.findings.length ? ui.table([[t('rule')], [t('finding')], [t('count'), 'num'], [t('files'), 'num']], s.findings.map(function (f) {
            return [f.rule, ui.sentence(ui.said(f.text)), ui.number(f.count), ui.number(f.files)];
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
    // Drawn as wide as it is shown, so that its writing keeps its size on a telephone.
    var width = Math.max(260, Math.min(1100, document.documentElement.clientWidth - 60)), left = 8 + 8 * String(top).length, wide = (width - left) / all.length;
    var every = Math.ceil(48 / wide);
    return el('div', {}, el('svg', { class: 'chart', viewBox: '0 0 ' + width + ' 200', role: 'img', 'aria-label': t('chart.days') + ': ' + t('chart.most', { n: top }) }, all.map(function (d, i) {
      var y = 175;
      return ['good', 'info', 'warn', 'bad'].map(function (g) {
        var h = d.n[g] / top * 160;
        y -= h;
        return el('rect', { class: g, x: left + i * wide + wide / 8, y: y, width: wide * 3 / 4, height: h });
      }).concat((all.length - 1 - i) % every ? [] : [el('text', { x: left + (i + 0.5) * wide, y: 193, 'text-anchor': i === all.length - 1 ? 'end' : 'middle' }, d.date.slice(5))]);
    }), el('rect', { class: 'axis', x: left, y: 175, width: width - left, height: 1 }), el('text', { x: 0, y: 21 }, String(top)), el('text', { x: 0, y: 179 }, '0')),
    ui.legend(['good', 'info', 'warn', 'bad']));
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

  // months are the last ones, and the one asked for: the browser's own field for
  // months would speak the browser's language.
  function months(asked) {
    var all = [], m = back(0).slice(0, 7);
    for (var i = 0; i < 13; i++) {
      all.push(m);
      m = ui.later(m + '-01', -1).slice(0, 7);
    }
    return all.indexOf(asked) < 0 ? all.concat(asked) : all;
  }

  ui.screens.reconciliation = {
    show: function (main, _, q) {
      var month = /^\d{4}-\d{2}$/.test(q.month || '') ? q.month : back(0).slice(0, 7);
      var next = ui.later(month + '-28', 4).slice(0, 7) + '-01';
      var span = { from: month + '-01', to: ui.later(next, -1), group: 'month' };
      return ui.call('GET', ui.query('/reconciliation', span)).then(function (r) {
        var several = r.items.some(function (i) { return i.channel !== r.items[0].channel; });
        var csv = ui.query('/reconciliation', { from: span.from, to: span.to, group: 'file', format: 'csv' });
        ui.fill(main, el('h1', {}, t('nav.reconciliation')), el('section', {},
          el('div', { class: 'head' }, el('label', {}, t('month'), el('select', { change: function (e) { location.hash = ui.query('/reconciliation', { month: e.target.value }); } }, months(month).map(function (m) {
            return el('option', { value: m, selected: m === month }, m);
          }))),
            el('div', { class: 'actions' },
              el('a', { class: 'button quiet', target: '_blank', rel: 'noopener', href: ui.query('/reconciliation/statement', { month: month, lang: ui.lang }) }, t('statement')),
              el('a', { class: 'button quiet', href: csv, download: true }, t('csv')))),
          r.items.length ? [el('p', { class: 'pill ' + (r.total.balanced ? 'good' : 'warn') }, t(r.total.balanced ? 'balanced' : 'unbalanced')),
            ui.table([[t('kind')], [t('files'), 'num'], [t('exported'), 'num'], [t('checked'), 'num'], [t('sent'), 'num'], [t('stored'), 'num'], [t('gaps')]], r.items.map(function (i) { return line(i, several); }).concat(r.items.length > 1 ? [line(r.total)] : []))]
            : ui.empty(t('no_uploads'))));
      });
    }
  };

  // line is one of a kind, or of all where there is no kind.
  function line(i, several) {
    return [i.kind ? [ui.kind(i.kind), several ? el('div', { class: 'soft' }, t('channel.' + i.channel)) : ''] : el('strong', {}, t('sum')), ui.number(i.files), ui.number(i.rows.exported), ui.number(i.rows.checked), ui.number(i.rows.sent), ui.number(i.rows.stored),
      i.gaps.length ? i.gaps.map(function (g) { return el('div', {}, ui.sentence(ui.said(g.text)) + ' · ' + t('gap_is', { files: g.files, rows: g.rows })); }) : '–'];
  }
}());
