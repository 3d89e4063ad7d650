"use strict";
(() => {
  const board = JSON.parse(document.getElementById("board").textContent);
  const at = (id) => document.getElementById(id);
  const views = {};
  const cut = () => `${at("metric").value}@${at("k").value}`;

  // Tables

  const number = (cell) => (cell.dataset.value === "" ? null : Number(cell.dataset.value));

  function fillScores(table) {
    for (const row of table.tBodies[0].rows) {
      for (const cell of row.querySelectorAll("td[data-scope]")) {
        const parts = board.values[row.dataset.model]?.[cell.dataset.scope]?.[cut()];
        const value = parts?.[Number(cell.dataset.part)] ?? null;
        cell.dataset.value = value ?? "";
        cell.textContent = value === null ? board.unknown : value.toFixed(5);
      }
    }
    markBest(table);
  }

  function markBest(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.dataset.kind !== "score" || ["low", "high"].includes(head.dataset.name)) return;
      const cells = [...table.tBodies[0].rows].map((row) => row.cells[column]);
      const best = Math.max(...cells.map((cell) => number(cell) ?? -1));
      cells.forEach((cell) => cell.classList.toggle("best", number(cell) === best));
    });
  }

  function sort(table, column, descending) {
    const heads = [...table.tHead.rows[0].cells];
    const text = heads[column].dataset.kind === "text";
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => {
      const cell = row.cells[column];
      return { row, key: text ? cell.textContent : number(cell) };
    });
    // What is not known stands last, whichever way the rest is sorted.
    rows.sort((a, b) => {
      const missing = (a.key === null || a.key === "") - (b.key === null || b.key === "");
      if (missing) return missing;
      const order = text ? a.key.localeCompare(b.key, document.documentElement.lang) : a.key - b.key;
      return descending ? -order : order;
    });
    body.append(...rows.map(({ row }) => row));
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }

  function sortAgain(table) {
    const heads = [...table.tHead.rows[0].cells];
    const column = heads.findIndex((head) => head.hasAttribute("aria-sort"));
    if (column >= 0) sort(table, column, heads[column].getAttribute("aria-sort") === "descending");
  }

  function numberRanks(table) {
    const heads = [...table.tHead.rows[0].cells].map((head) => head.dataset.name);
    const [rank, average] = [heads.indexOf("rank"), heads.indexOf("average")];
    if (rank < 0) return;
    const rows = [...table.tBodies[0].rows].filter((row) => number(row.cells[average]) !== null);
    rows.sort((a, b) => number(b.cells[average]) - number(a.cells[average]));
    for (const row of table.tBodies[0].rows) {
      const place = rows.indexOf(row) + 1;
      row.cells[rank].dataset.value = place || "";
      row.cells[rank].textContent = place || "";
    }
  }

  function csvOf(table) {
    const heads = [...table.tHead.rows[0].cells].filter((head) => head.dataset.name);
    const skipped = table.tHead.rows[0].cells.length - heads.length;
    const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    // A name that a spreadsheet would take for a formula, as text.
    const harmless = (text, kind) => (kind === "text" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
    const lines = [heads.map((head) => quoted(head.dataset.name))];
    for (const row of table.tBodies[0].rows) {
      const cells = [...row.cells].slice(skipped);
      lines.push(cells.map((cell, index) => quoted(harmless(cell.dataset.value, heads[index].dataset.kind))));
    }
    return lines.map((line) => line.join(",")).join("\n") + "\n";
  }

  function download(table) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csvOf(table)], { type: "text/csv;charset=utf-8" }));
    link.download = `${table.dataset.name}-${cut()}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // Plots

  function pointRows(axis) {
    const rows = board.points[at(`${axis}-scope`).value]?.[cut()] ?? [];
    return rows.map(([label, value, speed, sizeFront, sizeNamed, speedFront, speedNamed]) => {
      const facts = board.models[label];
      return {
        ...facts, value, speed, size_front: !!sizeFront, speed_front: !!speedFront,
        size_label: sizeNamed ? facts.short : "", speed_label: speedNamed ? facts.short : "",
      };
    });
  }

  function radarRows() {
    const main = document.querySelector("#main-section table"); // another one may be called so too
    const tasks = [...main.querySelectorAll('th[data-kind="score"]')]
      .map((head) => head.dataset.name).filter((name) => name !== "average");
    const ticked = [...main.tBodies[0].rows]
      .filter((row) => row.querySelector("input").checked).map((row) => row.dataset.model);
    return ticked.flatMap((model) => tasks.flatMap((task, index) => {
      const value = board.values[model]?.[task]?.[cut()]?.[0];
      return value === undefined ? [] : [{ model, task, number: index, value, whole: board.models[model].whole }];
    }));
  }

  function rowsOf(name) {
    return name === "radar" ? radarRows() : pointRows(name).filter((row) => row[name]);
  }

  async function redraw(names = Object.keys(views)) {
    await Promise.all(names.filter((name) => views[name]).map((name) => views[name].data(name, rowsOf(name)).runAsync()));
  }

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const [ink, quiet, line] = ["--ink", "--quiet", "--line"].map((name) => style.getPropertyValue(name).trim());
    return {
      background: "transparent",
      font: getComputedStyle(document.body).fontFamily,
      view: { stroke: line },
      axis: { labelColor: quiet, titleColor: ink, gridColor: line, domainColor: line, tickColor: line },
      legend: { labelColor: ink, titleColor: ink },
    };
  }

  async function drawAnew() {
    for (const [name, spec] of Object.entries(board.specs)) {
      views[name]?.finalize();
      const options = { actions: false, renderer: "svg", config: colours(), tooltip: { theme: theme() } };
      views[name] = (await vegaEmbed(`#${name}`, spec, options)).view;
    }
    await redraw();
    document.body.dataset.drawn = theme();
  }

  // What is chosen

  const theme = () => document.documentElement.dataset.theme;
  const tables = [...document.querySelectorAll("table")];

  function choose() {
    for (const table of tables) {
      fillScores(table);
      numberRanks(table);
      sortAgain(table);
    }
    redraw();
  }

  document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  for (const table of tables) {
    markBest(table);
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      head.querySelector("button")?.addEventListener("click", () => {
        // Scores are looked at from the best, names and ranks from the first.
        const now = head.getAttribute("aria-sort");
        const best = head.dataset.kind === "text" || head.dataset.name === "rank" ? "ascending" : "descending";
        sort(table, column, now === null ? best === "descending" : now === "ascending");
      });
    });
    table.closest(".scroll").previousElementSibling.addEventListener("click", () => download(table));
    table.addEventListener("change", () => redraw(["radar"]));
  }
  at("metric").addEventListener("change", choose);
  at("k").addEventListener("change", choose);
  for (const axis of ["size", "speed"]) at(`${axis}-scope`)?.addEventListener("change", () => redraw([axis]));
  at("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = theme() === "dark" ? "light" : "dark";
    drawAnew();
  });
  drawAnew();
})();
