"use strict";
(() => {
  const box = document.getElementById("tip");

  function show(mark) {
    hide();
    mark.classList.add("on");
    box.textContent = mark.getAttribute("aria-label");
    box.hidden = false;
    const at = mark.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    const left = Math.min(Math.max(4, at.left + at.width / 2 - box.offsetWidth / 2), width - box.offsetWidth - 4);
    const above = at.top - box.offsetHeight - 6;
    box.style.left = left + scrollX + "px";
    box.style.top = (above > 0 ? above : at.bottom + 6) + scrollY + "px";
  }

  function hide() {
    for (const mark of document.querySelectorAll(".tip.on")) mark.classList.remove("on");
    box.hidden = true;
  }

  // A picture is one stop of the Tab key; the arrow keys move from mark to mark.
  for (const svg of document.querySelectorAll(".panels svg")) {
    const marks = [...svg.querySelectorAll(".tip")];
    for (const mark of marks) {
      mark.querySelector("title").remove(); // otherwise the browser shows it too
      mark.setAttribute("tabindex", "-1");
      mark.addEventListener("mouseenter", () => show(mark));
      mark.addEventListener("mouseleave", hide);
      mark.addEventListener("click", () => show(mark));
      mark.addEventListener("focus", () => show(mark));
      mark.addEventListener("blur", hide);
    }
    if (marks.length) marks[0].setAttribute("tabindex", "0");
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step || !marks.length) return;
      event.preventDefault();
      const next = (marks.indexOf(document.activeElement) + step + marks.length) % marks.length;
      for (const mark of marks) mark.setAttribute("tabindex", "-1");
      marks[next].setAttribute("tabindex", "0");
      marks[next].focus();
    });
  }

  function cells(details) {
    return [...details.querySelectorAll("tr")].map((row) => [...row.cells].map((cell) => cell.textContent));
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  }

  function save(text, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff" + text], { type: "text/csv;charset=utf-8" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // A spreadsheet would run a cell that begins like a formula.
  const safe = (cell) => (/^[=+@\t\r]|^-(?![\d.])/.test(cell) ? "'" + cell : cell);
  const quoted = (cell) => (/[",\n]/.test(cell) ? '"' + cell.replaceAll('"', '""') + '"' : cell);

  for (const details of document.querySelectorAll("details.data")) {
    const status = details.querySelector("[role=status]");
    details.querySelector(".tools").hidden = false;
    details.querySelector("[data-do=copy]").addEventListener("click", async () => {
      await copy(cells(details).map((row) => row.map(safe).join("\t")).join("\n"));
      status.textContent = "copied";
    });
    details.querySelector("[data-do=csv]").addEventListener("click", () => {
      const text = cells(details).map((row) => row.map(safe).map(quoted).join(",")).join("\r\n");
      save(text, details.dataset.name.replace(/[^\w.-]+/g, "_") + ".csv");
      status.textContent = "saved";
    });
  }
})();
