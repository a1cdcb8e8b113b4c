// What follows from what: the language, then the task, then its runs.
function fillChoices() {
  const runs = task.runs.map((ofRun) => [ofRun.key, title(ofRun)]);
  const any = [['', say('any', '不限')]];
  fill(element('run'), runs);
  fill(element('distance'), runs);
  fill(element('wrong'), [...any, ...runs], runs[0][0]); // the page opens with errors
  fill(element('right'), [...any, ...runs]);
  fill(element('label'), [...any, ['0', '0'], ['1', '1']]);
  for (const part of document.querySelectorAll('.several-seeds')) part.hidden = !task.severalSeeds;
}

function showTask() {
  task = data.tasks[element('task').value];
  prepare(task);
  fillChoices();
  drawCharts();
  showRun();
  showPairs();
}

function drawCharts() {
  drawCurves();
  drawOverlap();
}

function speak(language) {
  document.documentElement.lang = language;
  element('language').textContent = say('中文', 'English');
  if (data.tasks.length) showTask();
}

function listen() {
  element('language').onclick = () => speak(say('zh', 'en'));
  element('task').onchange = showTask;
  element('run').onchange = showRun;
  element('slider').oninput = (event) => moveThreshold(Number(event.target.value));
  element('threshold').oninput = (event) => {
    if (event.target.value !== '') moveThreshold(Number(event.target.value));
  };
  element('reset').onclick = () => moveThreshold(run.threshold);
  element('filters').oninput = filterPairs;
  element('filters').onreset = () => setTimeout(filterPairs); // once the fields are empty
  isNarrow.onchange = () => data.tasks.length && drawCharts();
  document.querySelectorAll('.wide').forEach(watch);
}

fill(element('task'), data.tasks.map(({ name }, i) => [String(i), name]));
element('of-task').hidden = !data.tasks.length;
element('only-in-tables').hidden = !data.only_in_tables.length;
element('only-in-tables').lastElementChild.textContent = data.only_in_tables.join(', ');
listen();
speak(navigator.language.startsWith('zh') ? 'zh' : 'en');
