// The table and the pictures of a page. Each data.js calls show() with the results of one benchmark; what is chosen and
// hidden is kept here and told to DataTables and Vega, which do the rest.
"use strict";

const benchmarks = new Map(); // name -> what its data.js holds
const hidden = new Set(); // families
const chosen = new Set(); // contestants
const TALL = 25; // contestants from which a picture with a row each takes the room of two
let shown = ""; // the benchmark whose pictures are shown; "" where the table has all
let table, views = [];

const show = (content) => benchmarks.set(content.benchmark, content);
const byId = (id) => document.getElementById(id);
const escaped = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
const lookOf = (row) => benchmarks.get(row.benchmark).looks[row.model];

function glyph({ shape, colour, full }) {
  const fill = full ? colour : "none";
  return `<svg class="glyph" viewBox="-1.3 -1.3 2.6 2.6"><path d="${shape}" fill="${fill}" stroke="${colour}" stroke-width="0.3"/></svg>`;
}

// ---- the table

function name(row, type) {
  if (type !== "display") return row.model;
  const model = escaped(row.model);
  const note = row.note && `<small>${escaped(row.note)}</small>`;
  return `<label><input type="checkbox" value="${model}" ${chosen.has(row.model) ? "checked" : ""}>${glyph(lookOf(row))}<span>${model}${note}</span></label>`;
}

function number(column) {
  return (row, type) => {
    const [text, mean, mark] = row.cells[column] ?? ["n/a", null];
    if (type !== "display") return type === "sort" ? mean : text;
    return `<span class="${mark ?? (mean === null ? "missing" : "")}">${escaped(text)}</span>`;
  };
}

// Values that are missing come last, whichever way the others go.
function lastly(sign) {
  return (a, b) => (a === null) - (b === null) || sign * (a - b);
}

function makeTable() {
  const contents = [...benchmarks.values()];
  const every = contents.flatMap((content) => content.columns);
  const columns = new Map([...every.filter(({ cost }) => !cost), ...every.filter(({ cost }) => cost)].map((column) => [column.name, column]));
  DataTable.type("measured", { order: { asc: lastly(1), desc: lastly(-1) } });
  table = new DataTable("#table", {
    data: contents.flatMap((content) => content.rows.map((row) => ({ ...row, benchmark: content.benchmark }))),
    columns: [
      { title: "Model", name: "model", data: name },
      { title: "Family", name: "family", data: (row) => escaped(lookOf(row).family) },
      { title: "Benchmark", name: "benchmark", data: (row) => escaped(row.benchmark) },
      ...[...columns.values()].map((column) => ({
        title: `<span title="${escaped(column.note)}">${escaped(column.title)}</span>`,
        name: column.name,
        data: number(column.name),
        type: "measured",
        className: "dt-right",
      })),
    ],
    order: columns.has("score") ? [{ name: "score", dir: "desc" }] : [],
    paging: false,
    autoWidth: false,
    scrollX: true,
    scrollY: "min(36rem, 70vh)",
    scrollCollapse: true,
    fixedColumns: { start: 1 },
    layout: {
      topStart: { buttons: [{ extend: "colvis", text: "Columns" }, { extend: "csv", text: "CSV" }] },
      topEnd: "search",
      bottomStart: "info",
      bottomEnd: null,
    },
    language: { search: "", searchPlaceholder: "Search", info: "_TOTAL_ rows", infoFiltered: "of _MAX_", infoEmpty: "None" },
  });
  table.search.fixed("page", (_, row) => (!shown || row.benchmark === shown) && !hidden.has(lookOf(row).family));
  table.table().container().addEventListener("change", ({ target }) => target.type === "checkbox" && choose(target.value));
}

// The main columns of the benchmark that is shown; of all benchmarks those that a third of them has.
function mainColumns() {
  const contents = shown ? [benchmarks.get(shown)] : [...benchmarks.values()];
  const count = (name) => contents.filter(({ columns }) => columns.some((column) => column.main && column.name === name)).length;
  table.columns().every(function () {
    const column = this.name();
    const main = column === "model" || (column === "benchmark" ? !shown : column !== "family" && count(column) >= contents.length / 3);
    this.visible(main, false);
  });
  table.columns.adjust().draw();
}

// ---- the pictures

// Names beside the means, where they fit: Vega places them, Vega-Lite has no word for it.
function named(spec) {
  if (!spec.marks.some((mark) => mark.name === "named_marks")) return spec;
  const names = {
    type: "text",
    from: { data: "named_marks" },
    interactive: false,
    encode: {
      enter: { fontSize: { value: 11 }, fill: { signal: "datum.datum.colour" } },
      update: { text: { signal: "!length(chosen) || indexof(chosen, datum.datum.model) >= 0 ? datum.datum.model : ''" } },
    },
    transform: [{
      type: "label",
      size: { signal: "[max(width, 1), max(height, 1)]" },
      anchor: ["right", "left", "top", "bottom", "top-right", "bottom-right", "top-left", "bottom-left"],
      offset: { signal: "length(chosen) ? [4] : [3]" }, // names the signal, or labels would stay when it changes
      avoidMarks: ["points_marks"],
    }],
  };
  return { ...spec, marks: [...spec.marks, names] };
}

function rowsOf(chart) {
  const { looks, [chart.data]: { names, rows } } = benchmarks.get(shown);
  const unpacked = rows.map((row) => Object.fromEntries(row.map((value, place) => [names[place], value])));
  return unpacked.map((row) => ({ ...row, ...looks[row.model] })).filter((row) => !hidden.has(row.family));
}

// A row has its height, however many there are.
function heightOf({ spec: { height } }, rows) {
  return height.step ? height.step * new Set(rows.map(({ model }) => model)).size : height;
}

async function drawCharts() {
  views.forEach(({ result }) => result.finalize());
  views = [];
  for (const place of ["charts", "tall"]) byId(place).replaceChildren();
  if (!shown) return byId("charts").append("Choose one benchmark to see its pictures.");
  for (const chart of benchmarks.get(shown).charts) {
    const figure = document.createElement("figure");
    figure.innerHTML = `<h3>${escaped(chart.question)}</h3><div></div><figcaption>${escaped(chart.caption)}</figcaption>`;
    const tall = Boolean(chart.spec.height.step) && benchmarks.get(shown).rows.length > TALL;
    byId(tall ? "tall" : "charts").append(figure); // lest high ones leave holes beside low ones
    const values = rowsOf(chart);
    const spec = { ...chart.spec, height: heightOf(chart, values), data: { name: "rows", values } };
    const actions = { export: true, source: false, compiled: false, editor: false };
    const options = { actions, renderer: "svg", patch: named, downloadFileName: `${shown}_${chart.data}` };
    const result = await vegaEmbed(figure.querySelector("div"), spec, options);
    result.view.addEventListener("click", (_, item) => item?.datum?.model && choose(item.datum.model));
    views.push({ chart, result });
  }
  tellCharts();
}

function tellCharts() {
  return Promise.all(views.map(({ result }) => result.view.signal("chosen", [...chosen]).runAsync()));
}

// ---- what a reader does

function choose(model) {
  chosen.delete(model) || chosen.add(model);
  chosenChanged();
}

function chosenChanged() {
  document.querySelectorAll("#explorer input[type=checkbox]").forEach((box) => (box.checked = chosen.has(box.value)));
  const clear = document.createElement("button");
  clear.textContent = "Clear";
  clear.addEventListener("click", () => (chosen.clear(), chosenChanged()));
  byId("chosen").replaceChildren(...(chosen.size ? [`Chosen: ${[...chosen].join(", ")} `, clear] : []));
  tellCharts();
}

function makeFamilies() {
  const looks = [...benchmarks.values()].flatMap((content) => Object.values(content.looks));
  for (const [family, colour] of new Map(looks.map((look) => [look.family, look.colour]))) {
    const button = document.createElement("button");
    button.textContent = family;
    button.style.setProperty("--colour", colour);
    button.setAttribute("aria-pressed", "true");
    button.addEventListener("click", () => {
      hidden.delete(family) || hidden.add(family);
      button.setAttribute("aria-pressed", String(!hidden.has(family)));
      table.draw();
      views.forEach(({ chart, result: { view } }) => {
        const rows = rowsOf(chart);
        view.data("rows", rows).height(heightOf(chart, rows)).runAsync();
      });
    });
    byId("families").append(button);
  }
}

function select(name) {
  shown = name;
  const more = byId("more"), page = byId("benchmark")?.selectedOptions[0]?.dataset.page;
  if (more) Object.assign(more, { hidden: !page, href: page ?? "" });
  const looks = name ? Object.values(benchmarks.get(name).looks) : [...benchmarks.values()].flatMap((content) => Object.values(content.looks));
  const there = new Set(looks.map((look) => look.family));
  document.querySelectorAll("#families button").forEach((button) => (button.hidden = !there.has(button.textContent)));
  mainColumns();
  return drawCharts();
}

document.addEventListener("DOMContentLoaded", async () => {
  if (!benchmarks.size) return;
  byId("explorer").hidden = false;
  const most = [...benchmarks.values()].reduce((a, b) => (b.rows.length > a.rows.length ? b : a));
  makeTable();
  makeFamilies();
  if (byId("benchmark")) {
    byId("benchmark").value = most.benchmark;
    byId("benchmark").addEventListener("change", ({ target }) => select(target.value));
  }
  await select(most.benchmark);
  document.body.dataset.ready = "yes";
});
