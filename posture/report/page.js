"use strict";
// The page reads without this script. It filters the table of checks and switches the
// theme; it asks nobody and keeps nothing but the theme.
(() => {
  const root = document.documentElement;
  const form = document.getElementById("filter");
  const text = document.getElementById("text");
  const theme = document.getElementById("theme");
  const rows = [...document.querySelectorAll("#table tbody tr")].map((row) => ({
    row, details: row.querySelector("details"), words: row.textContent.toLowerCase(),
  }));

  // A page from the disk may not be allowed to keep anything.
  const kept = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("glassward-theme") || "";
      localStorage.setItem("glassward-theme", value);
    } catch { /* then it is kept until the page is closed */ }
    return "";
  };
  const dress = (value) => {
    if (value) root.dataset.theme = value;
    else delete root.dataset.theme;
  };
  theme.value = kept();
  dress(theme.value);
  theme.addEventListener("change", () => {
    dress(theme.value);
    kept(theme.value);
  });
  theme.parentElement.hidden = false;

  const apply = () => {
    const want = text.value.trim().toLowerCase().split(/\s+/);
    const is = (row, name) => !form[name].value || row.dataset[name] === form[name].value;
    let shown = 0;
    for (const { row, words } of rows) {
      const fits = want.every((word) => words.includes(word)) &&
        is(row, "result") && is(row, "severity") && is(row, "area") &&
        (!form.emergency.checked || "emergency" in row.dataset);
      row.hidden = !fits;
      if (fits) shown++;
    }
    document.getElementById("shown").value = `${shown} of ${rows.length} checks`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();

  const toggle = (open) => () => {
    for (const { row, details } of rows) if (!row.hidden) details.open = open;
  };
  document.getElementById("open").addEventListener("click", toggle(true));
  document.getElementById("close").addEventListener("click", toggle(false));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && event.target === text && text.value) {
      text.value = "";
      apply();
    } else if (event.key === "/" && !event.target.closest("input, select")) {
      event.preventDefault();
      text.focus();
    }
  });

  // On paper everything that is shown is open.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = rows.filter(({ details }) => !details.open);
    for (const { details } of closed) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const { details } of closed) details.open = false;
  });
})();
