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
function fill(select, options) {
  const before = select.value;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (options.some(([value]) => value === before)) select.value = before;
}

// Charts have the page's fonts, and only the buttons of use: none that sends a chart to a server.
function draw(id, traces, layout) {
  const font = { family: getComputedStyle(document.body).fontFamily, size: 13, color: '#222' };
  const shared = { font, margin: { l: 55, r: 15, t: 30, b: 45 }, hovermode: 'closest' };
  const buttons = ['sendChartToCloud', 'select2d', 'lasso2d', 'autoScale2d'];
  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: buttons };
  Plotly.react(id, traces, { ...shared, ...layout }, config);
}
