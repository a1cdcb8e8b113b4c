// One run: how the scores of both classes are distributed, and what a threshold makes of them.
const BINS = 60;
let run; // the one shown
let threshold;

function measures(at) {
  const counts = { tp: 0, fp: 0, fn: 0, tn: 0 };
  run.scores.forEach((score, pair) => {
    const names = score > at ? ['fp', 'tp'] : ['tn', 'fn'];
    counts[names[task.labels[pair]]] += 1;
  });
  const { tp, fp, fn, tn } = counts;
  const precision = tp / (tp + fp);
  const recall = tp / (tp + fn);
  const f1 = (2 * tp) / (2 * tp + fp + fn);
  return { accuracy: (tp + tn) / run.scores.length, precision, recall, f1, ...counts };
}

function showRun() {
  run = chosenRun('run');
  const range = scoreRange(run.scores);
  const slider = element('slider');
  [slider.min, slider.max] = range;
  drawHistogram(range);
  moveThreshold(run.threshold);
}

// Scores of a collapsed model hardly differ: their bins would be too narrow to be seen.
function scoreRange(scores) {
  const low = scores.reduce((a, b) => Math.min(a, b));
  const high = scores.reduce((a, b) => Math.max(a, b));
  const margin = Math.max((high - low) / 200, 1e-6 * Math.max(Math.abs(low), 1));
  return [Math.min(low - margin, run.threshold), Math.max(high + margin, run.threshold)];
}

function drawHistogram([low, high]) {
  const width = (high - low) / BINS;
  const counts = [new Uint32Array(BINS), new Uint32Array(BINS)];
  run.scores.forEach((score, pair) => {
    counts[task.labels[pair]][Math.min(Math.floor((score - low) / width), BINS - 1)] += 1;
  });
  const traces = counts.map((ofClass, label) => {
    const pairs = Math.max(ofClass.reduce((a, b) => a + b), 1);
    return {
      type: 'bar',
      name: `${say('label', '标签')} ${label}`,
      x: Array.from(ofClass, (_, bin) => low + (bin + 0.5) * width),
      y: Array.from(ofClass, (count) => (100 * count) / pairs),
      width,
      opacity: 0.55,
      marker: { color: COLORS[label] },
      hovertemplate: '%{x:.4f}: %{y:.2f} %',
    };
  });
  draw('histogram', traces, {
    height: 330,
    barmode: 'overlay',
    xaxis: { range: [low, high], title: { text: say('score on test', '测试集分数') } },
    yaxis: { title: { text: say("% of the class's pairs", '占该类句对的 %') } },
    legend: { ...legendAbove(), y: 1.1 }, // above the word "fitted"
  });
}

function moveThreshold(at) {
  threshold = at;
  element('slider').value = at;
  const field = element('threshold'); // what is typed into it stays as it is
  if (Number(field.value) !== at) field.value = at.toFixed(4);
  field.title = at;
  const line = (x, dash, width) => ({
    type: 'line',
    yref: 'paper',
    ...{ x0: x, x1: x, y0: 0, y1: 1 },
    line: { color: '#000', dash, width },
  });
  const fitted = {
    ...{ x: run.threshold, y: 1, yref: 'paper', yanchor: 'bottom', showarrow: false },
    text: say('fitted', '验证集上求得'),
  };
  const shapes = [line(run.threshold, 'dot', 1), line(at, 'solid', 2)];
  Plotly.relayout('histogram', { shapes, annotations: [fitted] });
  showMeasures();
}

function showMeasures() {
  const columns = [measures(threshold), measures(run.threshold)];
  const shares = [
    ['accuracy', say('accuracy (%)', '准确率 (%)')],
    ['precision', say('precision (%)', '精确率 (%)')],
    ['recall', say('recall (%)', '召回率 (%)')],
    ['f1', 'F1 (%)'],
  ].map(([key, name]) => [key, name, percent]);
  const counts = [
    ['tp', say('called 1, are 1', '判 1，实为 1')],
    ['fp', say('called 1, are 0', '判 1，实为 0')],
    ['fn', say('called 0, are 1', '判 0，实为 1')],
    ['tn', say('called 0, are 0', '判 0，实为 0')],
  ].map(([key, name]) => [key, name, String]);
  const rows = [...shares, ...counts].map(
    ([key, name, format]) =>
      `<tr data-measure="${key}"><th>${name}</th>` +
      columns.map((column) => `<td class="number">${format(column[key])}</td>`).join('') +
      '</tr>',
  );
  const head = ['', say('here', '此处'), say('fitted', '验证集上求得')];
  element('measures').innerHTML =
    `<thead><tr>${head.map((name) => `<th class="number">${name}</th>`).join('')}</tr></thead>` +
    `<tbody>${rows.join('')}</tbody>`;
}
