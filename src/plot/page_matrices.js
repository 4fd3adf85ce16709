/* page_matrices.js: feature matrices of all runs, moved together by one slider, with their spectra and
 * similarities; and the start of the page. */

/* "features": the matrix that stands for what a method has learnt, sqrt(AGOP) of a network, M of an RFM. */
const FEATURES = ['metric', 'sqrt_agop', 'agop', 'nfm'];
const kindOf = run => (state.kind === 'features' ? FEATURES.find(k => run.frames[k]) : state.kind);
const framesOf = run => run.frames[kindOf(run)] || [];
const alignAxis = () => (state.align === 'step' ? 'linear' : state.align);

const panes = [];
let positions = [],
  cell = null,
  slider,
  sliderText,
  similarity,
  playing = null;

function paint(pane) {
  const { canvas, view } = pane,
    rows = view.rows.length,
    cols = view.cols.length,
    { limit, cut, empty } = limitOf(view.data),
    colour = palette();
  canvas.width = cols;
  canvas.height = rows;
  const image = new ImageData(cols, rows);
  view.data.forEach((v, i) =>
    image.data.set(Number.isNaN(v) ? [128, 128, 128, 255] : [...colour(v / limit), 255], 4 * i),
  );
  canvas.getContext('2d').putImageData(image, 0, 0);
  pane.range.textContent = empty ? 'all 0' : `±${short(limit)}${cut ? ' (beyond: cut)' : ''}`;
}

const nameOf = i => (i < D.p ? 'x=' + i : 'y=' + (i - D.p));

function showCell() {
  for (const pane of panes) {
    const v = pane.view,
      inside = v && cell && cell.row < v.rows.length && cell.col < v.cols.length;
    pane.cross.hidden = !inside;
    pane.value.textContent = inside
      ? `${nameOf(v.rows[cell.row])}, ${nameOf(v.cols[cell.col])}: ≈ ` +
        short(v.data[cell.row * v.cols.length + cell.col])
      : ' ';
    if (!inside) continue;
    const w = 100 / v.cols.length,
      h = 100 / v.rows.length;
    Object.assign(pane.cross.style, {
      left: cell.col * w + '%',
      top: cell.row * h + '%',
      width: w + '%',
      height: h + '%',
    });
  }
}

function makePane(run, r) {
  const pane = {
    run,
    r,
    canvas: el('canvas', { tabindex: 0, role: 'img', 'data-run': run.id }),
    cross: el('div', { class: 'cross', hidden: true }),
    step: el('span', { class: 'step' }),
    range: el('span', { class: 'small' }),
    value: el('div', { class: 'value', 'aria-live': 'polite' }, ' '),
    bars: el('div', { class: 'bars' }),
    barText: el('div', { class: 'value' }, ' '),
  };
  const box = el('div', { class: 'square' }, pane.canvas, pane.cross);
  pane.canvas.addEventListener('pointermove', e => {
    const b = pane.canvas.getBoundingClientRect(),
      v = pane.view;
    if (!v) return;
    cell = {
      col: Math.max(0, Math.min(v.cols.length - 1, Math.floor(((e.clientX - b.left) / b.width) * v.cols.length))),
      row: Math.max(0, Math.min(v.rows.length - 1, Math.floor(((e.clientY - b.top) / b.height) * v.rows.length))),
    };
    showCell();
  });
  pane.canvas.addEventListener('pointerleave', e => {
    if (e.pointerType === 'mouse') {
      cell = null;
      showCell();
    }
  });
  pane.canvas.addEventListener('keydown', e => {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[e.key],
      v = pane.view;
    if (!move || !v) return;
    e.preventDefault();
    cell = cell
      ? {
          row: Math.max(0, Math.min(v.rows.length - 1, cell.row + move[0])),
          col: Math.max(0, Math.min(v.cols.length - 1, cell.col + move[1])),
        }
      : { row: 0, col: 0 };
    showCell();
  });
  pane.figure = el(
    'figure',
    { class: 'pane' },
    el('figcaption', {}, swatch(r), ' ', run.label, ' ', pane.step, pane.range),
    box,
    pane.value,
    pane.bars,
    pane.barText,
  );
  panes.push(pane);
  return pane.figure;
}

/* Bars of energy per frequency of the frame shown. */
function drawSpectrum(pane, frame) {
  const s = frame && pane.run.spectra.find(x => x.source === kindOf(pane.run) && x.step === frame.step);
  pane.bars.replaceChildren();
  pane.barText.textContent = ' ';
  if (!s) return;
  const total = s.energy.reduce((a, b) => a + (b || 0), 0) || 1,
    most = Math.max(...s.energy) / total || 1,
    n = s.energy.length,
    w = 240,
    h = 64;
  const root = svg('svg', {
    viewBox: `0 0 ${w} ${h + 1}`,
    role: 'img',
    'aria-label': 'share of energy per frequency of the off-diagonal block',
  });
  s.energy.forEach((e, k) =>
    root.append(
      svg('rect', {
        x: (k * w) / n + 0.5,
        width: Math.max(0.5, w / n - 1),
        y: h - (h * (e || 0)) / total / most,
        height: (h * (e || 0)) / total / most,
        class: 'bar k' + (pane.r % 7),
        'data-k': k + 1,
        'data-energy': e,
      }),
    ),
  );
  root.append(svg('path', { d: `M0 ${h}H${w}`, class: 'axis' }));
  root.addEventListener('pointermove', e => {
    const b = root.getBoundingClientRect(),
      k = Math.max(0, Math.min(n - 1, Math.floor(((e.clientX - b.left) / b.width) * n)));
    pane.barText.textContent = `k = ${k + 1}: energy ${short(s.energy[k])}, share ${short(s.energy[k] / total)}`;
  });
  pane.bars.append(root, el('div', { class: 'ends' }, el('span', {}, 'k = 1'), el('span', {}, n)));
}

/* ---- the slider ---- */

/* Everywhere that some run's matrix changes. */
function findPositions() {
  const all = runs.flatMap(run => framesOf(run).map(f => align(run, alignAxis(), f.step)));
  positions = [...new Set(all.map(x => +x.toPrecision(12)))].sort((a, b) => a - b);
  slider.max = Math.max(0, positions.length - 1);
  if (state.at === null) state.at = positions.length ? positions[positions.length - 1] : 0;
  slider.value = nearestPosition(state.at);
  state.at = positions.length ? positions[slider.value] : 0;
}
function nearestPosition(at) {
  let best = 0;
  positions.forEach((x, i) => {
    if (Math.abs(x - at) < Math.abs(positions[best] - at)) best = i;
  });
  return best;
}
/* The newest frame at or before the slider; before the first one, the first. */
function frameAt(run) {
  let found = null;
  for (const f of framesOf(run)) if (!found || align(run, alignAxis(), f.step) <= state.at + 1e-9) found = f;
  return found;
}

function positionText() {
  if (!positions.length) return 'no matrices are stored';
  if (state.align === 'step') return 'step ' + short(state.at);
  if (state.align === 'fraction') return (100 * state.at).toFixed(1) + ' % of training';
  const names = ['start', 'memorised', grokkedName(), 'end'],
    i = Math.floor(state.at + 1e-9),
    part = state.at - i;
  return part < 1e-6 ? names[i + 1] : `${(100 * part).toFixed(0)} % from ${names[i + 1]} to ${names[i + 2]}`;
}

function showSimilarity() {
  const colour = palette(),
    ink = t => {
      const [r, g, b] = colour(t);
      return 0.3 * r + 0.59 * g + 0.11 * b < 128 ? '#fff' : '#111';
    };
  similarity.replaceChildren(
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        el('td'),
        panes.map(p => named(p.run, p.r)),
      ),
    ),
    el(
      'tbody',
      {},
      panes.map(a =>
        el(
          'tr',
          {},
          el('th', { scope: 'row' }, a.run.label),
          panes.map(b => {
            const c =
              a.view && b.view && a.view.data.length === b.view.data.length
                ? cosine(a.view.data, b.view.data)
                : NaN;
            return el(
              'td',
              {
                class: 'number',
                style: Number.isNaN(c) ? '' : `background: rgb(${colour(c).map(Math.round)}); color: ${ink(c)}`,
              },
              Number.isNaN(c) ? '–' : minus((Math.abs(c) < 5e-4 ? 0 : c).toFixed(3)),
            );
          }),
        ),
      ),
    ),
  );
}

/* Marks under a chart's axis: where the matrices shown stand. */
function showSteps(chart) {
  if (!chart.marks) return;
  chart.marks.replaceChildren(
    ...panes
      .filter(p => p.frame)
      .map(p => {
        const x = chart.X(align(p.run, state.axis, p.frame.step)),
          y = chart.h - chart.bottom;
        return Number.isNaN(x) ? '' : svg('path', { d: `M${x} ${y}l-3.5 7h7z`, class: 'shown k' + (p.r % 7) });
      }),
  );
}

function showFrames() {
  for (const pane of panes) {
    const frame = frameAt(pane.run);
    pane.frame = frame;
    pane.figure.classList.toggle('empty', !frame);
    pane.step.textContent = frame
      ? `${kindOf(pane.run)}, ${pane.run.unit || 'step'} ${frame.step}`
      : 'no such matrix';
    pane.view = frame ? seen(frame) : null;
    if (frame) {
      pane.canvas.setAttribute('aria-label', `${pane.run.label}, ${pane.step.textContent}`);
      paint(pane);
    } else {
      pane.canvas.width = pane.canvas.height = 1;
      pane.range.textContent = '';
    }
    drawSpectrum(pane, frame);
  }
  sliderText.textContent = positionText();
  slider.setAttribute('aria-valuetext', sliderText.textContent);
  showCell();
  showSimilarity();
  charts.forEach(showSteps);
}

function setAt(at) {
  state.at = at;
  slider.value = nearestPosition(at);
  showFrames();
  writeState();
}

/* From a place on the curves' axis to the slider: through the steps of the first run that has matrices. */
function jumpTo(x) {
  if (!positions.length || !Number.isFinite(x)) return;
  let best = null;
  for (const run of runs)
    for (const f of framesOf(run)) {
      const d = Math.abs(charts[0].X(align(run, state.axis, f.step)) - charts[0].X(x));
      if (!(best && best.d <= d)) best = { d, at: align(run, alignAxis(), f.step) };
    }
  setAt(+best.at.toPrecision(12));
}

function play(button) {
  if (playing) {
    clearInterval(playing);
    playing = null;
    button.textContent = '▶ play';
    return;
  }
  if (+slider.value >= positions.length - 1) setAt(positions[0]);
  button.textContent = '❚❚ pause';
  playing = setInterval(() => {
    if (+slider.value >= positions.length - 1) play(button);
    else setAt(positions[+slider.value + 1]);
  }, 250);
}

function matricesSection() {
  const kinds = [...new Set(runs.flatMap(r => Object.keys(r.frames)))];
  if (state.kind !== 'features' && !kinds.includes(state.kind)) state.kind = 'features';
  slider = el('input', {
    type: 'range',
    id: 'slider',
    min: 0,
    max: 0,
    step: 1,
    'aria-label': 'position in training',
    oninput: () => setAt(positions[slider.value]),
  });
  sliderText = el('output', { id: 'position', for: 'slider' });
  similarity = el('table', { id: 'similarity' });
  const check = (key, text, off) =>
    el(
      'label',
      {},
      el('input', {
        type: 'checkbox',
        id: key,
        checked: !!state[key],
        disabled: off,
        onchange: e => {
          state[key] = +e.target.checked;
          cell = null;
          showFrames();
          writeState();
        },
      }),
      ' ' + text,
    );
  const kind = el(
    'select',
    {
      id: 'kind',
      'aria-label': 'kind of matrix',
      onchange: e => {
        state.kind = e.target.value;
        findPositions();
        showFrames();
        writeState();
      },
    },
    ['features', ...kinds].map(k =>
      el('option', { value: k, selected: k === state.kind }, k === 'features' ? 'features (√AGOP, M)' : k),
    ),
  );
  const moved = choice(
    'alignment',
    ALIGNS,
    () => state.align,
    v => {
      const pane = panes.find(p => p.frame),
        step = pane ? pane.frame.step : 0; /* stay where the first run is */
      state.align = v;
      if (pane) state.at = align(pane.run, alignAxis(), step);
      findPositions();
      showFrames();
    },
  );
  const button = el('button', { type: 'button', id: 'play', onclick: () => play(button) }, '▶ play');
  return section(
    'matrices',
    'Feature matrices',
    el(
      'div',
      { class: 'controls' },
      moved,
      kind,
      check('nodiag', 'without diagonal'),
      check('block', 'off-diagonal block only'),
      D.order ? check('order', 'discrete-log order') : null,
    ),
    el('div', { class: 'slide' }, button, slider, sliderText),
    el('div', { class: 'panes' }, runs.map(makePane)),
    el(
      'p',
      { class: 'small' },
      'Red positive, blue negative, each matrix on its own scale; rows and columns: x values, then y values. ' +
        'Bars: energy per frequency of the off-diagonal block (rows y, columns x).',
    ),
    runs.length > 1 ? el('h3', {}, 'Cosine between the matrices shown') : null,
    runs.length > 1 ? scroller(similarity) : null,
  );
}

function start() {
  readState();
  setTheme(state.theme === 'dark' || state.theme === 'light' ? state.theme : '');
  const curves = curvesSection(),
    matrices = matricesSection();
  document
    .getElementById('page')
    .append(header(showFrames), glance(), curves.node, matrices, measures(curves.pick), settings());
  findPositions();
  redrawCharts();
  showFrames();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showFrames);
  addEventListener('hashchange', () => location.reload());
  if (D.refresh > 0) setTimeout(() => location.reload(), D.refresh * 1000);
}
start();
