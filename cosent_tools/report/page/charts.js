// All methods of a task: ROC, precision and recall, accuracy by overlap.
const POINTS = 500; // that are drawn of a curve

// All cuts through a run's ranking, equal scores on one side: [true positives, called positive].
function cuts(scores) {
  const order = Uint32Array.from(scores.keys()).sort((i, j) => scores[j] - scores[i]);
  const found = [[0, 0]];
  let hits = 0;
  order.forEach((pair, rank) => {
    hits += task.labels[pair];
    if (scores[order[rank + 1]] !== scores[pair]) found.push([hits, rank + 1]);
  });
  return found;
}

// ROC and precision-recall curves, with ROC AUC and average precision as scikit-learn has them.
function curves(ofRun) {
  const all = cuts(ofRun.scores);
  const [positives, n] = all.at(-1);
  const roc = all.map(([hits, called]) => [(called - hits) / (n - positives), hits / positives]);
  const recall = all.slice(1).map(([hits, called]) => [hits / positives, hits / called]);
  let auc = 0;
  let averagePrecision = 0;
  for (let i = 1; i < all.length; i += 1) {
    auc += ((roc[i][0] - roc[i - 1][0]) * (roc[i][1] + roc[i - 1][1])) / 2;
    averagePrecision += (roc[i][1] - roc[i - 1][1]) * recall[i - 1][1];
  }
  return { roc: thinned(roc), recall: thinned(recall), auc, averagePrecision };
}

function thinned(points) {
  const step = Math.ceil(points.length / POINTS);
  return points.filter((_, i) => i % step === 0 || i === points.length - 1);
}

function curveTraces() {
  return task.runs.flatMap((ofRun) => {
    ofRun.curves ??= curves(ofRun);
    const { roc, recall, auc, averagePrecision } = ofRun.curves;
    const figures = `AUC ${percent(auc)}, AP ${percent(averagePrecision)}`;
    return [['', roc], ['2', recall]].map(([axis, points]) => ({
      name: `${ofRun.label} (${figures})`,
      x: points.map((point) => point[0]),
      y: points.map((point) => point[1]),
      xaxis: `x${axis}`,
      yaxis: `y${axis}`,
      mode: 'lines',
      line: ofRun.line,
      legendgroup: ofRun.label,
      showlegend: axis === '' && ofRun.first,
      hovertemplate: `%{x:.3f}, %{y:.3f}<extra>${title(ofRun)}<br>${figures}</extra>`,
    }));
  });
}

function drawCurves() {
  const narrow = isNarrow.matches;
  const axis = (text, more) => ({ title: { text }, range: [-0.01, 1.01], ...more });
  draw('curves', curveTraces(), {
    height: (narrow ? 720 : 420) + legendHeight(),
    grid: { rows: narrow ? 2 : 1, columns: narrow ? 1 : 2, pattern: 'independent', ygap: 0.25 },
    xaxis: axis(say('ROC: false positive rate', 'ROC：假阳性率')),
    yaxis: axis(say('true positive rate', '真阳性率')),
    xaxis2: axis(say('recall', '召回率')),
    yaxis2: axis(say('precision', '精确率')),
    legend: legendAbove(),
  });
}

function drawOverlap() {
  const { pairs, positive } = task.by_overlap;
  const bins = pairs.map((count, bin) => {
    const range = `${data.bins[bin]}–${data.bins[bin + 1]}`;
    return `${range}<br>${count} ${say('pairs', '对')}`;
  });
  const points = (shares) => shares.map((share) => (share === null ? null : 100 * share));
  const shared = { x: bins, mode: 'lines+markers', hovertemplate: '%{y:.2f} %' };
  const methods = task.runs.filter((ofRun) => ofRun.first);
  const traces = methods.map(({ label, by_overlap, line }) => {
    return { ...shared, name: label, y: points(by_overlap), line, marker: { size: 8 } };
  });
  traces.push({
    ...shared,
    name: say('share of label 1', '标签 1 的比例'),
    y: points(positive),
    line: { color: '#999', dash: 'dot', width: 1 },
  });
  draw('overlap', traces, {
    height: 340 + legendHeight(),
    xaxis: { type: 'category' },
    yaxis: { title: { text: say('accuracy (%)', '准确率 (%)') } },
    legend: legendAbove(),
  });
}

const legendAbove = () => ({ orientation: 'h', y: 1.02, yanchor: 'bottom', x: 0 });

function legendHeight() {
  const methods = task.runs.filter((ofRun) => ofRun.first).length;
  return 22 * Math.ceil(methods / (isNarrow.matches ? 1 : 3));
}
