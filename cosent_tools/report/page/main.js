// What all parts of the page use: the data, the two languages, and a task made ready.
import DataTable from 'datatables';

const data = JSON.parse(document.getElementById('data').textContent);
const element = (id) => document.getElementById(id);
const say = (en, zh) => (document.documentElement.lang === 'zh' ? zh : en);
const percent = (share) => (Number.isFinite(share) ? (100 * share).toFixed(2) : '–');
const isNarrow = matchMedia('(max-width: 800px)');
// Okabe and Ito's colours, distinct for colour-blind readers too; the first two are the classes.
const COLORS = '#0072B2 #D55E00 #009E73 #CC79A7 #56B4E9 #E69F00 #000000 #999999'.split(' ');
const DASHES = ['solid', 'dash', 'dot', 'dashdot'];

let task; // the one shown

function escaped(text) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

// Of a run's name, what tells it from the others of its task.
function title(run) {
  return task.severalSeeds ? `${run.label} · seed ${run.seed}` : run.label;
}

// Scores are float64 here as in Python: every comparison with a threshold comes out the same.
function decoded(base64) {
  return new Float64Array(Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0)).buffer);
}

function prepare(chosen) {
  if (chosen.isReady) return;
  chosen.labels = Uint8Array.from(chosen.labels);
  chosen.severalSeeds = chosen.runs.some((run) => !run.first);
  const names = [...new Set(chosen.runs.map((run) => run.label))];
  for (const run of chosen.runs) {
    run.key = run.name.slice(chosen.name.length + 1); // the same in every task
    const number = names.indexOf(run.label);
    run.scores = decoded(run.scores);
    run.line = {
      color: COLORS[number % COLORS.length],
      dash: DASHES[Math.floor(number / COLORS.length) % DASHES.length],
      width: run.first ? 2 : 1,
    };
  }
  chosen.isReady = true;
}

const chosenRun = (id) => task.runs.find((run) => run.key === element(id).value);
const isRight = (run, pair) => run.scores[pair] > run.threshold === (task.labels[pair] === 1);

// Fill a drop-down with [value, text]; what was chosen stays chosen where it can.
function fill(select, options, otherwise = options[0]?.[0]) {
  const before = select.selectedOptions[0]?.value;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  select.value = options.some(([value]) => value === before) ? before : otherwise;
}

// A table with more columns than fit says so, see page.css.
const sizes = new ResizeObserver((changed) => requestAnimationFrame(() => changed.forEach(markCut)));

function markCut({ target }) {
  const part = target.closest('.wide');
  part?.classList.toggle('cut', part.scrollWidth > part.clientWidth);
}

function watch(part) {
  part.classList.add('wide');
  [part, part.querySelector('table')].forEach((each) => sizes.observe(each));
}

// Charts have the page's fonts, and only the buttons of use: none that sends a chart to a server.
// These have a column of their own, and where there is no room for it, fingers do what they do.
function draw(id, traces, layout) {
  const font = { family: getComputedStyle(document.body).fontFamily, size: 13, color: '#222' };
  const displayModeBar = isNarrow.matches ? false : 'hover';
  const margin = { l: 55, r: displayModeBar ? 40 : 15, t: 30, b: 45 };
  const shared = { font, margin, hovermode: 'closest', modebar: { orientation: 'v' } };
  const buttons = ['sendChartToCloud', 'select2d', 'lasso2d', 'autoScale2d'];
  const shown = { displayModeBar, displaylogo: false, modeBarButtonsToRemove: buttons };
  Plotly.react(id, traces, { ...shared, ...layout }, { responsive: true, ...shown });
}
