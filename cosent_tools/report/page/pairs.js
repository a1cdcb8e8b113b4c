// The pairs: a table to sort, search and filter; DataTables makes the rows that are looked at.
let table;
let measured; // the run whose threshold distances are measured from

const distance = (pair) => Math.abs(measured.scores[pair] - measured.threshold);

// `lengths` are those of stretches of the text, in turn differing and shared.
function marked(text, lengths) {
  const characters = Array.from(text);
  let end = 0;
  return lengths
    .map((length, i) => {
      const part = escaped(characters.slice(end, (end += length)).join(''));
      return part && i % 2 === 0 ? `<mark>${part}</mark>` : part;
    })
    .join('');
}

// DataTables reads what is searched as HTML, too: it must be escaped as what is shown.
function sentences(pair, type) {
  const texts = task.texts[pair];
  if (type !== 'display') return escaped(texts.join(' '));
  const lines = texts.map((text, side) => marked(text, task.differences[pair][side]));
  return lines.map((line) => `<div lang="zh">${line}</div>`).join('');
}

function score(ofRun, pair, type) {
  const value = ofRun.scores[pair];
  if (type !== 'display') return value;
  const [name, sign] = isRight(ofRun, pair) ? ['right', '✓'] : ['wrong', '✗'];
  return `<span class="${name}">${value.toFixed(4)} ${sign}</span>`;
}

function columns() {
  const number = (name, value, digits) => ({
    title: name,
    render: (pair, type) => (type === 'display' ? value(pair).toFixed(digits) : value(pair)),
  });
  const text = { type: 'string', className: 'sentences', searchable: true };
  const scores = task.runs.map((ofRun) => ({
    name: ofRun.key,
    title: title(ofRun),
    render: (pair, type) => score(ofRun, pair, type),
  }));
  const all = [
    number(say('pair', '句对'), (pair) => pair + 1, 0),
    number(say('label', '标签'), (pair) => task.labels[pair], 0),
    { title: say('sentences', '句子'), render: sentences, ...text },
    ...scores,
    number(say('overlap', '重合度'), (pair) => task.overlap[pair], 2),
    number(say('distance', '距离'), distance, 4),
  ];
  const numeric = { data: null, type: 'num', className: 'number', searchable: false };
  return all.map((column) => ({
    ...numeric,
    ...column,
    title: escaped(column.title),
    createdCell: (cell) => (cell.dataset.title = column.title), // told beside it where it is narrow
  }));
}

// What the fields ask for, read once for all pairs.
function filter() {
  const [wrong, right, label] = [chosenRun('wrong'), chosenRun('right'), element('label').value];
  const within = (id) => {
    const [low, high] = [`${id}-low`, `${id}-high`].map((end) => element(end).value);
    return (value) => value >= Number(low || -Infinity) && value <= Number(high || Infinity);
  };
  const [isOverlap, isDistance] = ['overlap', 'distance'].map(within);
  return (_, pair) =>
    (!wrong || !isRight(wrong, pair)) &&
    (!right || isRight(right, pair)) &&
    (label === '' || task.labels[pair] === Number(label)) &&
    isOverlap(task.overlap[pair]) &&
    isDistance(distance(pair));
}

function filterPairs() {
  const chosen = ['wrong', 'right', 'distance'].map(chosenRun);
  for (const ofRun of task.runs) {
    const column = table.column(`${ofRun.key}:name`);
    const isShown = ofRun.first || element('seeds').checked || chosen.includes(ofRun);
    if (column.visible() !== isShown) column.visible(isShown);
  }
  if (measured !== chosenRun('distance')) {
    measured = chosenRun('distance');
    table.rows().invalidate('data'); // distances are remembered for sorting
  }
  table.search.fixed('filters', filter()).draw();
}

function showPairs() {
  measured = chosenRun('distance');
  table?.destroy();
  element('pairs').innerHTML = '<table class="display compact"></table>';
  table = new DataTable('#pairs table', {
    data: Array.from(task.texts.keys()),
    columns: columns(),
    autoWidth: false,
    order: [],
    layout: { topStart: 'info', topEnd: 'search', bottomStart: 'pageLength', bottomEnd: 'paging' },
    language: say(
      { entries: { _: 'pairs', 1: 'pair' } },
      {
        search: '搜索：',
        info: '第 _START_ 至 _END_ 对，共 _TOTAL_ 对',
        infoEmpty: '没有句对',
        infoFiltered: '（从 _MAX_ 对中筛选）',
        lengthMenu: '每页 _MENU_ 对',
        zeroRecords: '没有符合条件的句对',
      },
    ),
  });
  watch(document.querySelector('#pairs .dt-layout-full'));
  filterPairs();
}
