"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);

  // Controls are useless without this script, so the page hides them until it runs.
  for (const control of all(".reorder, .sift, .chooser, #theme")) control.hidden = false;

  // Theme: the system's until the button is pressed.
  const theme = one("#theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : system.matches;
  };
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();

  // Stories: what a cell says about itself, beside the pointer or the focused cell.
  const tip = one("#tip");
  let told = null; // the cell whose story is shown
  const hide = () => { told = null; tip.hidden = true; };
  const place = () => {
    const at = told.getBoundingClientRect();
    const { width, height } = tip.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - width / 2), innerWidth - width - 8);
    const above = at.top - height - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above > 56 ? above : at.bottom + 8}px`;
  };
  const show = (cell) => {
    const label = cell.getAttribute("aria-label");
    tip.textContent = label.slice(label.indexOf("\n") + 1); // the first line is what the cell shows
    told = cell;
    tip.hidden = false;
    place();
  };
  const follow = () => { // moving to a cell by keys scrolls the page after the story is shown
    if (!told) return;
    const at = told.getBoundingClientRect();
    if (at.bottom < 0 || at.top > innerHeight) hide(); else place();
  };
  const cellOf = (event) =>
    event.target instanceof Element ? event.target.closest("td[aria-label]") : null;
  document.addEventListener("pointerover", (event) => {
    const cell = cellOf(event);
    if (cell) show(cell); else hide();
  });
  document.addEventListener("focusin", (event) => {
    const cell = cellOf(event);
    if (cell) show(cell); else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", follow, { passive: true, capture: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // Grids: one stop of the Tab key per table, arrow keys between its cells.
  const MOVES = {
    ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
    Home: [0, -Infinity], End: [0, Infinity],
  };
  const rowsOf = (table) => all("tr", table).map((row) => all("td[aria-label]", row)).filter((r) => r.length);
  const makeGrid = (table) => {
    table.setAttribute("role", "grid");
    for (const cell of all("td[aria-label]", table)) cell.tabIndex = -1;
    rowsOf(table)[0][0].tabIndex = 0;
    table.addEventListener("focusin", (event) => {
      const cell = cellOf(event);
      if (!cell) return;
      for (const other of all('td[tabindex="0"]', table)) other.tabIndex = -1;
      cell.tabIndex = 0;
    });
    table.addEventListener("keydown", (event) => {
      const move = MOVES[event.key];
      const cell = cellOf(event);
      if (!move || !cell) return;
      event.preventDefault();
      const rows = rowsOf(table);
      const y = rows.findIndex((row) => row.includes(cell));
      const x = rows[y].indexOf(cell);
      const clamp = (value, most) => Math.min(Math.max(value, 0), most);
      const row = rows[clamp(y + move[0], rows.length - 1)];
      row[clamp(x + move[1], row.length - 1)].focus();
    });
  };
  for (const table of all("table")) if (rowsOf(table).length) makeGrid(table);

  // Heatmaps: as the paper lays them out, or group by group.
  const reorder = (table, key) => {
    const heads = all("thead th", table);
    const order = heads.map((_, i) => i).sort((a, b) => heads[a].dataset[key] - heads[b].dataset[key]);
    for (const row of all("tr", table)) {
      const [first, ...rest] = [...row.children];
      row.replaceChildren(first, ...order.map((i) => rest[i]));
    }
    const body = one("tbody", table);
    body.replaceChildren(...[...body.rows].sort((a, b) => a.dataset[key] - b.dataset[key]));
    table.classList.toggle("by-group", key === "row");
  };
  for (const button of all(".reorder")) {
    button.addEventListener("click", () => {
      const grouped = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(grouped));
      reorder(document.getElementById(button.dataset.table), grouped ? "row" : "place");
    });
  }
  for (const button of all(".sift")) {
    button.addEventListener("click", () => {
      const sifted = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(sifted));
      document.getElementById(button.dataset.table).classList.toggle("sifted", sifted);
    });
  }

  // What scrolls sideways and holds nothing to focus can be scrolled with the keyboard itself.
  const FOCUSABLE = "a, button, summary, select, [tabindex]";
  const openScrollers = () => {
    for (const scroller of all(".scroll")) {
      const isStop = scroller.scrollWidth > scroller.clientWidth && !one(FOCUSABLE, scroller);
      if (isStop) scroller.tabIndex = 0; else scroller.removeAttribute("tabindex");
    }
  };
  addEventListener("resize", openScrollers);
  for (const part of all("details")) part.addEventListener("toggle", openScrollers);
  openScrollers();

  // Tables that sort: by number where a cell has one, else by text; gaps go last.
  const compare = (a, b) => {
    const [x, y] = [a, b].map((cell) => cell.dataset.value);
    if (x === undefined) return a.textContent.localeCompare(b.textContent, "en", { numeric: true });
    return Number(x) - Number(y);
  };
  const isGap = (cell) => cell.dataset.value !== undefined && !Number.isFinite(Number(cell.dataset.value));
  const sort = (table, column, sign) => {
    const body = one("tbody", table);
    const rows = [...body.rows];
    rows.sort((a, b) => {
      const [x, y] = [a.cells[column], b.cells[column]];
      return isGap(x) - isGap(y) || (isGap(x) ? 0 : sign * compare(x, y));
    });
    body.replaceChildren(...rows);
  };
  for (const table of all("table.sortable")) {
    for (const button of all("thead button", table)) {
      const head = button.closest("th");
      button.addEventListener("click", () => {
        const falls = head.getAttribute("aria-sort") === "ascending" ||
          (head.classList.contains("number") && head.getAttribute("aria-sort") !== "descending");
        for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", falls ? "descending" : "ascending");
        sort(table, head.cellIndex, falls ? -1 : 1);
      });
    }
  }

  // Figure 2: one task at a time.
  const chooser = one("#task");
  if (chooser) {
    const choose = () => {
      for (const part of all(".influence")) part.hidden = part.dataset.number !== chooser.value;
    };
    chooser.addEventListener("change", choose);
    choose(); // a browser may restore an earlier choice
  }
})();
