/* page.js: the page's data, its state, and everything that is text or a table. Charts are in page_charts.js,
 * matrices in page_matrices.js, which also starts the page. No library, no request. */

const D = JSON.parse(document.getElementById('data').textContent);
const runs = D.runs;

/* What the reader chose. It lives in the address after '#', so that a reload or a sent link shows the same. */
const state = {
  axis: 'log',
  align: 'phase',
  at: null,
  kind: 'features',
  nodiag: 1,
  block: 0,
  order: 0,
  a: '',
  b: '',
  theme: '',
};

function readState() {
  for (const part of location.hash.slice(1).split('&')) {
    const [key, value] = part.split('=').map(decodeURIComponent);
    if (!(key in state) || value === undefined) continue;
    if (key === 'at') state.at = Number.isFinite(+value) && value !== '' ? +value : null;
    else state[key] = typeof state[key] === 'number' ? +(value === '1') : value;
  }
  if (!(state.axis in AXES)) state.axis = 'log';
  if (!(state.align in ALIGNS)) state.align = 'phase';
}

function writeState() {
  const parts = Object.keys(state)
    .filter(k => state[k] !== null && state[k] !== '')
    .map(k => k + '=' + encodeURIComponent(state[k]));
  history.replaceState(null, '', '#' + parts.join('&'));
}

/* ---- making elements ---- */

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
const swatch = (i, dash) =>
  svg(
    'svg',
    { class: 'swatch', width: 18, height: 8, 'aria-hidden': 'true' },
    svg('line', { x1: 0, x2: 18, y1: 4, y2: 4, class: 'line k' + (i % 7), 'stroke-dasharray': DASH[dash || 0] }),
  );

/* A row of buttons of which one is pressed. */
function choice(label, options, get, set) {
  const box = el('span', { class: 'choice', role: 'group', 'aria-label': label });
  const show = () =>
    box.querySelectorAll('button').forEach(b => b.setAttribute('aria-pressed', b.dataset.value === get()));
  for (const [value, text] of Object.entries(options))
    box.append(
      el(
        'button',
        {
          type: 'button',
          'data-value': value,
          onclick: () => {
            set(value);
            show();
            writeState();
          },
        },
        text,
      ),
    );
  show();
  return box;
}

/* ---- numbers ---- */

const SUP = '⁰¹²³⁴⁵⁶⁷⁸⁹';
const power = e => '10' + String(e).replace(/./g, c => (c === '-' ? '⁻' : SUP[c]));

const minus = text => text.replace('-', '−');

/* Short for tables; the full number stands in the title. */
function short(v, digits = 4) {
  if (v === null || v === undefined || !Number.isFinite(v)) return '–';
  const a = Math.abs(v);
  if (a !== 0 && (a < 1e-3 || a >= 1e6)) {
    const [m, e] = v.toExponential(digits - 1).split('e');
    return minus(String(+m)) + '×' + power(+e);
  }
  return minus(String(Number.isInteger(v) ? v : +v.toPrecision(digits)));
}
const clock = s =>
  s === null
    ? '–'
    : s < 60
      ? s.toFixed(1) + ' s'
      : s < 3600
        ? (s / 60).toFixed(1) + ' min'
        : (s / 3600).toFixed(1) + ' h';

const grokkedName = () => (runs.some(r => eventStep(r, 'grokked') !== null) ? 'grokked' : 'end');
const eventStep = (run, kind) => {
  const e = run.events.find(x => x.kind === kind);
  return e ? e.step : null;
};
function lastValue(run, metric) {
  const c = run.curves[metric];
  for (let i = c ? c.s.length : 0; i-- > 0;) if (c.v[i] !== null) return { step: c.s[i], value: c.v[i] };
  return null;
}

/* ---- alignment, as gk_plot_align in series.c has it ---- */

const AXES = { log: 'log steps', linear: 'steps', fraction: 'fraction', phase: 'phase' };
const ALIGNS = { phase: 'by phase', step: 'by step', fraction: 'by fraction' };

/* Steps of phase -1, 0, 1, 2; a run without the event stops there. */
function knots(run) {
  const m = eventStep(run, 'memorised'),
    g = eventStep(run, 'grokked');
  if (m === null) return [0, run.last];
  if (g === null) return [0, m, run.last];
  return [0, m, Math.max(g, m), Math.max(run.last, g, m)];
}
function align(run, axis, step) {
  if (axis === 'fraction') return run.last > 0 ? step / run.last : 0;
  if (axis !== 'phase') return step;
  const k = knots(run);
  for (let i = 1; i < k.length; i++) if (step < k[i]) return i - 2 + (step - k[i - 1]) / (k[i] - k[i - 1]);
  return k.length - 2;
}

/* ---- tables ---- */

function section(id, title, ...children) {
  const sql = D.sql[id];
  return el(
    'section',
    { id },
    el('h2', {}, title),
    ...children,
    sql
      ? el('details', { class: 'sql' }, el('summary', {}, 'SQL of this figure'), el('pre', { tabindex: 0 }, sql))
      : null,
  );
}
const scroller = table => el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'table' }, table);
const number = (v, step) =>
  el(
    'td',
    { class: 'number', title: v === null ? 'no value' : String(v) + (step === undefined ? '' : ' at ' + step) },
    short(v),
  );
const named = (run, i) => el('th', { scope: 'col' }, swatch(i), ' ', run.label);

function spark(run, i) {
  const c = run.curves.test_accuracy,
    w = 96,
    h = 20;
  const box = svg('svg', {
    width: w,
    height: h,
    class: 'spark',
    role: 'img',
    'aria-label': 'test accuracy over log steps',
  });
  if (!c || c.s.length < 2) return box;
  const top = Math.log1p(c.s[c.s.length - 1]) || 1;
  const points = c.s.map((s, k) =>
    c.v[k] === null
      ? null
      : (2 + ((w - 4) * Math.log1p(s)) / top).toFixed(1) + ',' + (h - 2 - (h - 4) * c.v[k]).toFixed(1),
  );
  box.append(svg('polyline', { points: points.filter(p => p).join(' '), class: 'line k' + (i % 7) }));
  return box;
}

function glance() {
  const rows = runs.map((run, i) => {
    const m = eventStep(run, 'memorised'),
      g = eventStep(run, 'grokked');
    const test = lastValue(run, 'test_accuracy'),
      train = lastValue(run, 'train_accuracy');
    return el(
      'tr',
      {},
      el('th', { scope: 'row' }, swatch(i), ' ', run.label),
      el('td', {}, run.method),
      el('td', {}, spark(run, i)),
      number(m),
      number(g),
      number(m === null || g === null ? null : g - m),
      el('td', { class: 'number' }, short(run.last) + ' ' + (run.unit || 'step') + (run.last === 1 ? '' : 's')),
      number(train && train.value),
      number(test && test.value),
      el('td', { class: 'number' }, clock(run.seconds)),
      el('td', {}, run.status || ''),
    );
  });
  const head = [
    'run',
    'method',
    'test accuracy, log steps',
    'memorised',
    'grokked',
    'delay',
    'trained',
    'train acc.',
    'test acc.',
    'time',
    'status',
  ];
  const done = runs.filter(r => eventStep(r, 'grokked') !== null);
  const verdict =
    done.length === 0
      ? 'No run has generalised.'
      : done.length +
        ' of ' +
        runs.length +
        ' generalised: ' +
        done
          .map(
            r =>
              r.label +
              ' at ' +
              r.unit +
              ' ' +
              eventStep(r, 'grokked') +
              (eventStep(r, 'memorised') === null ? '' : ' (memorised at ' + eventStep(r, 'memorised') + ')'),
          )
          .join(', ') +
        '.';
  return section(
    'glance',
    'At a glance',
    el('p', { id: 'verdict' }, verdict),
    scroller(
      el(
        'table',
        {},
        el(
          'thead',
          {},
          el(
            'tr',
            {},
            head.map(h => el('th', { scope: 'col' }, h)),
          ),
        ),
        el('tbody', {}, rows),
      ),
    ),
  );
}

const metricNames = () => [...new Set(runs.flatMap(r => Object.keys(r.curves)))].sort();

function measures(pick) {
  const body = el('tbody');
  const rows = metricNames().map(name => {
    const [unit, text] = D.metrics[name] || ['', ''];
    const row = el(
      'tr',
      { 'data-name': name + ' ' + (text || '') },
      el(
        'th',
        { scope: 'row' },
        el('button', { type: 'button', class: 'plain', title: 'draw it above', onclick: () => pick(name) }, name),
        el('div', { class: 'small' }, text || '', unit && unit !== '1' ? ' [' + unit + ']' : ''),
      ),
      runs.map(r => {
        const v = lastValue(r, name);
        return number(v ? v.value : null, v ? (r.unit || 'step') + ' ' + v.step : undefined);
      }),
    );
    body.append(row);
    return row;
  });
  const filter = el('input', {
    type: 'search',
    id: 'filter',
    placeholder: 'filter measures',
    'aria-label': 'filter measures',
    oninput: e =>
      rows.forEach(r => {
        r.hidden = !r.dataset.name.toLowerCase().includes(e.target.value.toLowerCase());
      }),
  });
  return section(
    'measures',
    'Measures at the end',
    filter,
    scroller(
      el(
        'table',
        { class: 'measures' },
        el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'measure'), runs.map(named))),
        body,
      ),
    ),
  );
}

function settings() {
  const keys = [...new Set(runs.flatMap(r => Object.keys(r.settings)))].sort();
  const differs = k => new Set(runs.map(r => r.settings[k])).size > 1;
  const table = list =>
    scroller(
      el(
        'table',
        {},
        el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'setting'), runs.map(named))),
        el(
          'tbody',
          {},
          list.map(k =>
            el(
              'tr',
              {},
              el('th', { scope: 'row' }, k),
              runs.map(r => el('td', {}, r.settings[k] === undefined ? '–' : r.settings[k])),
            ),
          ),
        ),
      ),
    );
  const different = keys.filter(differs),
    same = keys.filter(k => !differs(k));
  return section(
    'settings',
    runs.length > 1 ? 'Settings that differ' : 'Settings',
    different.length ? table(different) : el('p', {}, runs.length > 1 ? 'None.' : ''),
    same.length
      ? el(
          'details',
          {},
          el('summary', {}, same.length + ' settings ' + (runs.length > 1 ? 'in common' : '')),
          table(same),
        )
      : null,
  );
}

/* ---- light and dark ---- */

function setTheme(theme) {
  state.theme = theme;
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}
const isDark = () => (state.theme ? state.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches);

function header(repaint) {
  const label = () => 'theme: ' + (state.theme || 'auto');
  const button = el(
    'button',
    {
      type: 'button',
      id: 'theme',
      onclick: () => {
        setTheme({ '': 'dark', dark: 'light', light: '' }[state.theme]);
        button.textContent = label();
        writeState();
        repaint();
      },
    },
    label(),
  );
  const facts = [
    D.task,
    D.split && 'split ' + D.split.slice(0, 12),
    runs.length + (runs.length === 1 ? ' run' : ' runs'),
    'groklab ' + D.version,
  ];
  return el(
    'header',
    {},
    el('div', {}, el('h1', {}, D.title), el('p', { class: 'small' }, facts.filter(x => x).join(' · '))),
    button,
  );
}
