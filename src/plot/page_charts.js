/* page_charts.js: curves as SVG, with one cursor for all of them. A chart is redrawn whole when its size, axis or
 * choice changes; the cursor moves in a layer of its own. */

const DASH = [null, '6 3', '2 3', '8 3 2 3'];
const charts = [];
let cursor = null; /* x on the current axis, or null */

const spansDecades = name => /loss|mse|deviation|residual|norm|error/.test(name);

/* Ticks at 1-2-5 times a power of ten, about `want` of them. */
function linearTicks(lo, hi, want) {
  const raw = (hi - lo) / want,
    e = 10 ** Math.floor(Math.log10(raw)),
    m = raw / e;
  const step = e * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10),
    ticks = [];
  for (let i = Math.ceil(lo / step - 1e-9); i * step <= hi + 1e-9 * step; i++)
    ticks.push([i * step, short(+(i * step).toPrecision(12))]);
  return ticks;
}
function logTicks(lo, hi, want) {
  const from = Math.ceil(Math.log10(lo) - 1e-9),
    to = Math.floor(Math.log10(hi) + 1e-9),
    ticks = [];
  if (to - from < 1) return linearTicks(lo, hi, Math.min(want, 4)).filter(t => t[0] > 0);
  const every = Math.max(1, Math.ceil((to - from + 1) / want));
  for (let e = from; e <= to; e++)
    if (e % every === 0) ticks.push([10 ** e, e >= 0 && e <= 3 ? String(10 ** e) : power(e)]);
  return ticks;
}

/* A scale: map to 0..1 (NaN if it cannot be shown), inverse, ticks. 0 has a slot of its own on a logarithmic one. */
function scaleOf(kind, lo, hi, zero) {
  if (!(lo <= hi)) {
    lo = kind === 'log' ? 1 : 0;
    hi = kind === 'log' ? 10 : 1;
  }
  if (lo === hi) {
    lo = kind === 'log' ? lo / 2 : lo - (Math.abs(lo) / 2 || 1);
    hi = kind === 'log' ? hi * 2 : hi + (Math.abs(hi) / 2 || 1);
  }
  const slot = kind === 'log' && zero ? 0.06 : 0,
    span = Math.log(hi / lo);
  return {
    map: v =>
      kind !== 'log'
        ? (v - lo) / (hi - lo)
        : v > 0
          ? slot + ((1 - slot) * Math.log(v / lo)) / span
          : v === 0 && slot
            ? 0
            : NaN,
    inverse: t =>
      kind !== 'log'
        ? lo + t * (hi - lo)
        : slot && t < slot / 2
          ? 0
          : lo * Math.exp((Math.max(0, t - slot) / (1 - slot)) * span),
    ticks: want =>
      kind === 'phase'
        ? [
            [-1, 'start'],
            [0, 'memorised'],
            [1, grokkedName()],
            [2, 'end'],
          ].filter(t => t[0] >= lo && t[0] <= hi)
        : kind === 'log'
          ? (slot ? [[0, '0']] : []).concat(logTicks(lo, hi, want))
          : linearTicks(lo, hi, want),
  };
}

function seriesOf(metrics) {
  const list = [];
  metrics.forEach((metric, m) =>
    runs.forEach((run, r) => {
      const c = run.curves[metric];
      if (c && c.s.length)
        list.push({
          run,
          r,
          metric,
          dash: metric.startsWith('train_') ? 1 : metrics.length > 1 && !metric.startsWith('test_') ? m % 4 : 0,
          x: c.s.map(s => align(run, state.axis, s)),
          step: c.s,
          y: c.v,
          n: c.n,
        });
    }),
  );
  return list;
}

function makeChart(options) {
  const box = el('div', { class: 'plot' }),
    readout = el('div', { class: 'readout', 'aria-live': 'polite' }),
    note = el('div', { class: 'small' });
  const chart = { options, box, readout, note, log: null };
  const scale = el('button', {
    type: 'button',
    class: 'ylog',
    onclick: () => {
      chart.log = !chart.usesLog;
      drawChart(chart);
    },
  });
  chart.scaleButton = scale;
  chart.figure = el('figure', { id: options.id }, el('figcaption', {}, options.caption, scale), box, readout, note);
  new ResizeObserver(() => {
    if (box.clientWidth && box.clientWidth !== chart.width) drawChart(chart);
  }).observe(box);
  charts.push(chart);
  return chart;
}

function extent(values, positive) {
  let lo = Infinity,
    hi = -Infinity;
  for (const v of values)
    if (v !== null && Number.isFinite(v) && (!positive || v > 0)) {
      if (v < lo) lo = v;
      if (v > hi) hi = v;
    }
  return [lo, hi];
}

/* One path a series; a gap (null, or what the scale cannot show) lifts the pen, a lone point is a dot. */
function pathOf(series, X, Y, floor) {
  let d = '',
    open = 0;
  const dots = [];
  for (let i = 0; i < series.x.length; i++) {
    const x = X(series.x[i]),
      y = series.y[i] === null ? NaN : Math.min(Y(series.y[i]), floor);
    if (Number.isNaN(x) || Number.isNaN(y)) {
      open = 0;
      continue;
    }
    const next = i + 1 < series.x.length && series.y[i + 1] !== null;
    if (!open && !next) dots.push([x, y]);
    d += (open ? 'L' : 'M') + x.toFixed(1) + ' ' + y.toFixed(1);
    open = 1;
  }
  return { d, dots };
}

function drawChart(chart) {
  const { box, options } = chart,
    w = Math.max(240, box.clientWidth),
    h = 210,
    left = 46,
    right = 12,
    top = 14,
    bottom = 34;
  const metrics = options.metrics(),
    list = seriesOf(metrics);
  const kind = state.axis === 'log' ? 'log' : state.axis === 'phase' ? 'phase' : 'linear';
  const [x0, x1] = extent(
    list.flatMap(s => s.x),
    kind === 'log',
  );
  const zero = list.some(s => s.x[0] === 0),
    all = list.flatMap(s => s.y),
    accuracy = metrics.some(m => m.includes('accuracy'));
  const [p0, p1] = extent(all, true);
  chart.usesLog = chart.log === null ? metrics.some(spansDecades) && p1 / p0 > 20 : chart.log;
  /* a loss at the rounding error of its numbers would flatten all others */
  const shown = chart.usesLog ? all.filter(y => y >= p1 * 1e-11) : all;
  let [y0, y1] = extent(shown, chart.usesLog);
  if (accuracy && !chart.usesLog) {
    y0 = Math.min(y0, 0);
    y1 = Math.max(y1, 1);
  }
  const pad = chart.usesLog ? Math.pow(y1 / y0, 0.04) : (y1 - y0) * 0.04;
  if (y0 < y1) {
    y0 = chart.usesLog ? y0 / pad : y0 - pad;
    y1 = chart.usesLog ? y1 * pad : y1 + pad;
  }
  const xs = scaleOf(kind, kind === 'phase' ? Math.min(x0, 0) : x0, kind === 'phase' ? Math.max(x1, 1) : x1, zero),
    ys = scaleOf(chart.usesLog ? 'log' : 'linear', y0, y1);
  const X = v => left + (w - left - right) * xs.map(v),
    Y = v => top + (h - top - bottom) * (1 - ys.map(v));
  Object.assign(chart, { width: box.clientWidth, w, h, left, right, top, bottom, X, Y, xs, list });
  chart.scaleButton.textContent = chart.usesLog ? 'y: log' : 'y: linear';
  const units = [...new Set(list.map(s => s.run.unit || 'step'))];
  const axisName = {
    log: units.join(' or '),
    linear: units.join(' or '),
    fraction: 'fraction of training',
    phase: 'phase',
  }[state.axis];
  const root = svg('svg', {
    width: w,
    height: h,
    viewBox: `0 0 ${w} ${h}`,
    tabindex: 0,
    role: 'application',
    'aria-label': metrics.join(', ') + ' over ' + axisName + '; arrow keys move the cursor',
  });
  let taken = -Infinity; /* labels that would touch the one before are left out */
  for (const [v, text] of xs.ticks(w / 80)) {
    const x = X(v),
      half = text.length * 3.2;
    root.append(svg('line', { x1: x, x2: x, y1: h - bottom, y2: h - bottom + 4, class: 'axis' }));
    if (x - half < taken + 4) continue;
    root.append(
      svg('text', { x: Math.min(x, w - half), y: h - bottom + 15, class: 'tick', 'text-anchor': 'middle' }, text),
    );
    taken = x + half;
  }
  for (const [v, text] of ys.ticks(5))
    root.append(
      svg('line', { x1: left, x2: w - right, y1: Y(v), y2: Y(v), class: 'grid' }),
      svg('text', { x: left - 6, y: Y(v) + 4, class: 'tick', 'text-anchor': 'end' }, text),
    );
  root.append(
    svg('path', { d: `M${left} ${top}V${h - bottom}H${w - right}`, class: 'axis' }),
    svg('text', { x: (left + w - right) / 2, y: h - 4, class: 'tick', 'text-anchor': 'middle' }, axisName),
  );
  chart.marks = svg('g');
  root.append(chart.marks);
  for (const s of list) {
    const { d, dots } = pathOf(s, X, Y, h - bottom + 2);
    root.append(svg('path', { d, class: 'line k' + (s.r % 7), 'stroke-dasharray': DASH[s.dash] }));
    for (const [x, y] of dots) root.append(svg('circle', { cx: x, cy: y, r: 2.5, class: 'dot k' + (s.r % 7) }));
  }
  for (const [r, run] of runs.entries())
    for (const kindOf of ['memorised', 'grokked']) {
      const step = eventStep(run, kindOf),
        x = step === null ? NaN : X(align(run, state.axis, step));
      if (!Number.isNaN(x) && x >= left - 1)
        root.append(
          svg(
            'path',
            {
              d: `M${x - 4} ${top - 9}h8l-4 8z`,
              class: 'event k' + (r % 7) + (kindOf === 'grokked' ? ' full' : ''),
            },
            svg('title', {}, `${run.label}: ${kindOf} at ${run.unit || 'step'} ${step}`),
          ),
        );
    }
  if (!list.length)
    root.append(svg('text', { x: w / 2, y: h / 2, class: 'tick', 'text-anchor': 'middle' }, 'no data'));
  chart.layer = svg('g', { class: 'cursor' });
  root.append(chart.layer);
  const place = e => {
    const r = root.getBoundingClientRect();
    return xs.inverse((((e.clientX - r.left) * w) / r.width - left) / (w - left - right));
  };
  root.addEventListener('pointermove', e => setCursor(place(e)));
  root.addEventListener('pointerdown', e => {
    setCursor(place(e));
    jumpTo(place(e));
  });
  root.addEventListener('pointerleave', e => {
    if (e.pointerType === 'mouse') setCursor(null);
  });
  root.addEventListener('keydown', e => chartKey(chart, e));
  box.replaceChildren(root);
  const drawn = list.reduce((n, s) => n + s.x.length, 0),
    total = list.reduce((n, s) => n + s.n, 0);
  const cut = chart.usesLog && p0 < y0 ? `Values under ${short(y0)} lie below the axis. ` : '';
  chart.note.textContent =
    cut +
    (drawn < total
      ? `${drawn} of ${total} points kept in this page: the first, lowest, highest and last of each small interval.`
      : '');
  showCursor(chart);
  showSteps(chart);
}

/* Arrow keys walk over the points of all series. */
function chartKey(chart, e) {
  const keys = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
  if (!(e.key in keys)) {
    if (e.key === 'Enter' && cursor !== null) jumpTo(cursor);
    return;
  }
  e.preventDefault();
  const points = [...new Set(chart.list.flatMap(s => s.x))]
    .filter(x => !Number.isNaN(chart.X(x)))
    .sort((a, b) => a - b);
  if (!points.length) return;
  let i = cursor === null ? -1 : points.findIndex(x => x >= cursor - 1e-12);
  if (i < 0) i = cursor === null ? 0 : points.length - 1;
  setCursor(points[Math.max(0, Math.min(points.length - 1, i + (cursor === null ? 0 : keys[e.key])))]);
}

function setCursor(x) {
  cursor = x !== null && Number.isFinite(x) ? x : null;
  charts.forEach(showCursor);
}

/* The point of a series nearest to the cursor on the screen, or -1 beyond the ends of the series. */
function nearest(chart, s) {
  const at = chart.X(cursor),
    first = chart.X(s.x[0]),
    last = chart.X(s.x[s.x.length - 1]);
  if (at > last + 6 || at < first - 6) return -1;
  let best = -1,
    distance = Infinity;
  for (let i = 0; i < s.x.length; i++) {
    const d = Math.abs(chart.X(s.x[i]) - at);
    if (s.y[i] !== null && d < distance) {
      best = i;
      distance = d;
    }
  }
  return best;
}

function showCursor(chart) {
  if (!chart.layer) return;
  chart.layer.replaceChildren();
  const rows = [];
  if (cursor !== null) {
    const x = chart.X(cursor);
    if (x >= chart.left - 1 && x <= chart.w - chart.right + 1)
      chart.layer.append(svg('line', { x1: x, x2: x, y1: chart.top, y2: chart.h - chart.bottom, class: 'rule' }));
  }
  for (const s of chart.list) {
    const i = cursor === null ? -1 : nearest(chart, s);
    if (i >= 0 && !Number.isNaN(chart.Y(s.y[i])))
      chart.layer.append(
        svg('circle', { cx: chart.X(s.x[i]), cy: chart.Y(s.y[i]), r: 3.5, class: 'dot k' + (s.r % 7) }),
      );
    rows.push(
      el(
        'span',
        { class: 'entry' },
        swatch(s.r, s.dash),
        ' ' + s.run.label + (chart.options.plain ? '' : ' ' + s.metric.replace(/_(loss|accuracy)$/, '')),
        el(
          'output',
          {
            'data-run': s.run.id,
            'data-metric': s.metric,
            'data-step': i < 0 ? '' : s.step[i],
            'data-value': i < 0 ? '' : s.y[i],
            title: i < 0 ? null : s.y[i],
          },
          i < 0 ? '' : ` ${s.run.unit || 'step'} ${s.step[i]}: ${short(s.y[i], 6)}`,
        ),
      ),
    );
  }
  chart.readout.replaceChildren(...rows);
}

function redrawCharts() {
  charts.forEach(drawChart);
}

/* The charts of the page; returns the section and a way to choose a measure. */
function curvesSection() {
  const names = metricNames(),
    has = n => names.includes(n);
  const first = (...wanted) => wanted.find(has) || names[0] || '';
  if (!has(state.a)) state.a = first('circulant_deviation', 'restricted_loss', 'weight_norm_sq');
  if (!has(state.b))
    state.b =
      ['restricted_loss', 'weight_norm_sq', 'circulance', 'effective_rank'].find(n => has(n) && n !== state.a) ||
      state.a;
  const picker = key =>
    el(
      'select',
      {
        id: 'measure_' + key,
        'aria-label': 'measure',
        onchange: e => {
          state[key] = e.target.value;
          writeState();
          redrawCharts();
        },
      },
      names.map(n => el('option', { value: n, selected: n === state[key] }, n)),
    );
  const pickers = { a: picker('a'), b: picker('b') };
  makeChart({
    id: 'chart_accuracy',
    caption: 'accuracy',
    metrics: () => ['test_accuracy', 'train_accuracy'].filter(has),
  });
  makeChart({ id: 'chart_loss', caption: 'loss', metrics: () => ['test_loss', 'train_loss'].filter(has) });
  makeChart({ id: 'chart_a', caption: pickers.a, plain: true, metrics: () => [state.a].filter(has) });
  makeChart({ id: 'chart_b', caption: pickers.b, plain: true, metrics: () => [state.b].filter(has) });
  const axis = choice(
    'horizontal axis',
    AXES,
    () => state.axis,
    v => {
      state.axis = v;
      cursor = null;
      redrawCharts();
    },
  );
  const key = el(
    'p',
    { class: 'small' },
    'Solid: test; dashed: train. Open triangle: memorised; full: grokked. ' +
      'Below the axis: the steps of the matrices shown further down. ',
    'A click moves the matrices there.',
  );
  const node = section(
    'curves',
    'Curves',
    el('div', { class: 'controls' }, axis),
    el(
      'div',
      { class: 'two' },
      charts.map(c => c.figure),
    ),
    key,
  );
  return {
    node,
    pick: name => {
      state.a = name;
      pickers.a.value = name;
      writeState();
      redrawCharts();
      document.getElementById('chart_a').scrollIntoView({ block: 'center' });
    },
  };
}
