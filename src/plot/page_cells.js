/* page_cells.js: a matrix as numbers and as colours: unpacking, the chosen view, the palette. */

/* The whole matrix as numbers, unpacked when first shown. */
function unpack(frame) {
  if (frame.values) return frame.values;
  const text = atob(frame.data),
    bytes = new Uint8Array(text.length),
    { rows, cols } = frame;
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const q = frame.bits === 16 ? new Int16Array(bytes.buffer) : new Int8Array(bytes.buffer);
  const top = frame.bits === 16 ? 32767 : 127,
    values = new Float64Array(rows * cols);
  const number = v => (v === -top - 1 ? NaN : (v / top) * frame.max);
  for (let i = 0, at = 0; i < rows; i++) {
    for (let j = 0; j < (frame.sym ? i : cols); j++) {
      const v = number(q[at++]);
      values[i * cols + j] = v;
      if (frame.sym) values[j * cols + i] = v;
    }
  }
  for (let i = 0; i < Math.min(rows, cols); i++)
    values[i * cols + i] = frame.diag[i] === null ? NaN : frame.diag[i];
  frame.values = values;
  return values;
}

/* The chosen view: which rows and columns of M are shown, in order. */
function viewOf(frame) {
  const p = D.p,
    whole = frame.rows === 2 * p,
    base = state.order && D.order ? D.order : [...Array(p).keys()];
  const both = base.concat(base.map(i => i + p));
  if (whole && state.block) return { rows: base.map(i => i + p), cols: base, p };
  if (whole) return { rows: both, cols: both, p };
  return { rows: base, cols: base, p };
}
function seen(frame) {
  const view = viewOf(frame),
    m = unpack(frame),
    data = new Float64Array(view.rows.length * view.cols.length);
  view.rows.forEach((i, a) =>
    view.cols.forEach((j, b) => {
      data[a * view.cols.length + b] = state.nodiag && i === j ? 0 : m[i * frame.cols + j];
    }),
  );
  return { ...view, data, step: frame.step };
}

/* Diverging around 0: white or, in the dark, black in the middle. */
function palette() {
  const nodes = isDark()
    ? [
        [120, 200, 255],
        [40, 125, 190],
        [24, 26, 30],
        [200, 85, 45],
        [255, 190, 130],
      ]
    : [
        [5, 48, 97],
        [67, 147, 195],
        [255, 255, 255],
        [214, 96, 77],
        [103, 0, 31],
      ];
  return t => {
    const at = ((Math.max(-1, Math.min(1, t)) + 1) / 2) * (nodes.length - 1),
      i = Math.min(nodes.length - 2, Math.floor(at)),
      w = at - i;
    return nodes[i].map((c, k) => c + w * (nodes[i + 1][k] - c));
  };
}

function limitOf(data) {
  const sizes = Float64Array.from(data, Math.abs).filter(Number.isFinite).sort();
  const most = sizes[sizes.length - 1] || 0,
    usual = sizes[Math.floor((sizes.length - 1) * 0.995)] || 0;
  return usual > 0 && most > 1.5 * usual
    ? { limit: usual, cut: true, empty: false }
    : { limit: most || 1, cut: false, empty: most === 0 };
}

function cosine(a, b) {
  let ab = 0,
    aa = 0,
    bb = 0;
  for (let i = 0; i < a.length; i++) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : NaN;
}
