// The report's own script: figures in the page's theme, the panel of a trial, the choice of curves.
(() => {
  "use strict";

  const byId = (id) => document.getElementById(id);
  const json = (id) => JSON.parse(byId(id).textContent);
  const page = json("data-page");
  const root = document.documentElement;
  const isTouch = matchMedia("(pointer: coarse)").matches;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  const config = {
    displaylogo: false,
    responsive: true,
    displayModeBar: isTouch ? false : "hover",
    modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
  };

  // -- theme -------------------------------------------------------------------------------------

  const THEMES = { auto: "Auto", light: "Light", dark: "Dark" };
  let chosenTheme = "auto";
  let isPrinting = false;

  const theme = () => {
    if (isPrinting) return "light";
    if (chosenTheme !== "auto") return chosenTheme;
    return systemIsDark.matches ? "dark" : "light";
  };

  function showTheme() {
    if (isPrinting || chosenTheme !== "auto") root.dataset.theme = theme();
    else delete root.dataset.theme;
    const button = byId("theme");
    const words = chosenTheme === "auto" ? "as the system" : chosenTheme;
    button.textContent = THEMES[chosenTheme];
    button.setAttribute("aria-label", `Colours of the page: ${words}`);
    drawAll();
  }

  byId("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    chosenTheme = names[(names.indexOf(chosenTheme) + 1) % names.length];
    try {
      localStorage.setItem("growsearch-theme", chosenTheme);
    } catch {
      // A browser may keep nothing of a file: the choice then ends with the page.
    }
    showTheme();
  });
  systemIsDark.addEventListener("change", showTheme);
  for (const [event, printing] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(event, () => {
      isPrinting = printing;
      showTheme();
    });
  }

  // -- figures -----------------------------------------------------------------------------------

  const PAPER_WIDTH = 680; // pixels: A4 and letter with their margins
  const NO_TITLE = 12; // pixels above a figure, whose title stands in the page

  // Fold the title of an axis into lines that fit.
  function folded(text, most) {
    const lines = [""];
    for (const word of text.split(" ")) {
      if (lines.at(-1) && lines.at(-1).length + word.length > most) lines.push("");
      lines.push(`${lines.pop()} ${word}`.trim());
    }
    return lines.join("<br>");
  }

  function layoutOf(layout, width) {
    const template = page.templates[theme()];
    const margin = { ...template.layout.margin, t: NO_TITLE, ...layout.margin };
    for (const name of Object.keys(layout)) {
      const title = name.startsWith("xaxis") && layout[name].title;
      if (title && title.text) title.text = title.text.split("<br>").map((line) => folded(line, width / (width < 500 ? 16 : 11))).join("<br>");
    }
    return {
      ...layout,
      template,
      margin,
      height: (layout.height || 420) - template.layout.margin.t + margin.t,
      autosize: !isPrinting,
      width: isPrinting ? PAPER_WIDTH : undefined,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: "#7a7a7a", activecolor: template.layout.font.color },
      dragmode: isTouch ? false : "zoom",
    };
  }

  const drawn = new Map();

  function draw(element, figure) {
    const first = !drawn.has(element);
    drawn.set(element, figure);
    // Plotly changes what it is given, and a theme is drawn anew from the original.
    const copy = structuredClone(figure);
    const done = Plotly.react(element, copy.data, layoutOf(copy.layout, element.clientWidth), config);
    if (!first) return done;
    element.style.minHeight = "";
    element.on("plotly_click", (event) => {
      const number = event.points[0].customdata;
      if (number !== undefined) openTrial(number === null ? "first" : number);
    });
    if (element.dataset.figure === "lineage") {
      element.on("plotly_afterplot", () => makeReachable(element));
      makeReachable(element);
    }
    return done;
  }

  function drawAll() {
    for (const [element, figure] of drawn) draw(element, figure);
  }

  // -- the lineage by keyboard -------------------------------------------------------------------

  let nodes = [];
  let current = 0;

  function makeReachable(element) {
    const found = [];
    for (const group of element.querySelectorAll(".scatterlayer .trace")) {
      const trace = group.__data__ && group.__data__[0] && group.__data__[0].trace;
      if (!trace || trace.mode !== "markers" || !trace.customdata) continue;
      for (const point of group.querySelectorAll("path.point")) {
        const place = point.__data__.i;
        const number = trace.customdata[place];
        found.push({
          point,
          number: number === null || number === undefined ? "first" : number,
          x: trace.x[place],
          y: trace.y[place],
          label: String(trace.hovertext[place]).replaceAll("<br>", ", "),
        });
      }
    }
    found.sort((a, b) => a.y - b.y || a.x - b.x);
    const kept = nodes[current] && nodes[current].number;
    nodes = found;
    current = Math.max(0, nodes.findIndex((node) => node.number === kept));
    const text = document.createElement("textarea");
    nodes.forEach((node, place) => {
      text.innerHTML = node.label;
      node.point.setAttribute("role", "button");
      node.point.setAttribute("aria-label", text.value);
      node.point.setAttribute("tabindex", place === current ? "0" : "-1");
      node.point.dataset.node = node.number;
      node.point.onkeydown = (event) => onNodeKey(event, place);
      node.point.onfocus = () => moveTo(place);
    });
  }

  function moveTo(place) {
    nodes[current].point.setAttribute("tabindex", "-1");
    current = place;
    nodes[current].point.setAttribute("tabindex", "0");
  }

  function onNodeKey(event, place) {
    const last = nodes.length - 1;
    const places = { ArrowDown: place + 1, ArrowRight: place + 1, ArrowUp: place - 1, ArrowLeft: place - 1, Home: 0, End: last };
    if (event.key in places) {
      moveTo(Math.min(last, Math.max(0, places[event.key])));
      nodes[current].point.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      openTrial(nodes[place].number, nodes[place].point);
    } else return;
    event.preventDefault();
  }

  // -- the panel of a trial ----------------------------------------------------------------------

  const panel = byId("panel");
  const articles = [...panel.querySelectorAll("article")];
  let opener = null;

  function openTrial(number, from = null) {
    const article = byId(`trial-${number}`);
    if (!article) return;
    for (const each of articles) each.hidden = each !== article;
    const place = articles.indexOf(article);
    byId("panel-title").textContent = article.dataset.name;
    byId("panel-before").disabled = place === 0;
    byId("panel-after").disabled = place === articles.length - 1;
    panel.dataset.trial = number;
    panel.scrollTop = 0;
    if (panel.open) return;
    opener = from || document.activeElement;
    panel.show();
    byId("panel-close").focus();
  }

  function closePanel() {
    if (!panel.open) return;
    panel.close();
    if (opener && opener.isConnected) opener.focus();
    else if (nodes.length) nodes[current].point.focus();
  }

  function step(by) {
    const place = articles.findIndex((each) => !each.hidden) + by;
    if (articles[place]) openTrial(articles[place].id.slice("trial-".length));
  }

  byId("panel-close").addEventListener("click", closePanel);
  byId("panel-before").addEventListener("click", () => step(-1));
  byId("panel-after").addEventListener("click", () => step(1));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") closePanel();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-trial]");
    if (link && link !== panel) {
      event.preventDefault();
      openTrial(link.dataset.trial, panel.contains(link) ? null : link);
    }
    const button = event.target.closest("[data-draw]");
    if (button) {
      choose((number) => chosen.has(number) || number === Number(button.dataset.draw));
      closePanel();
      byId("curves").scrollIntoView();
    }
  });

  // -- learning curves ---------------------------------------------------------------------------

  const curves = page.curves;
  const numbers = curves.trials.map((trial) => trial.number);
  const byNumber = new Map(curves.trials.map((trial) => [trial.number, trial]));
  const isKept = (number) => ["kept", "best"].includes(byNumber.get(number).outcome);
  const hasControls = (number) => byNumber.get(number).arms.length > 1;
  const MOST = 6;
  let chosen = new Set();

  function firstChoice() {
    const rank = (number) => (hasControls(number) ? 0 : 2) + (isKept(number) ? 0 : 1);
    const best = [...numbers].sort((a, b) => rank(a) - rank(b) || a - b).slice(0, MOST);
    return new Set(best.sort((a, b) => a - b));
  }

  function choose(isChosen) {
    chosen = new Set(numbers.filter(isChosen));
    for (const box of document.querySelectorAll("#choices input")) {
      box.checked = chosen.has(Number(box.value));
    }
    drawCurves();
  }

  const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const shortened = (text, most) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

  function curvesFigure() {
    const trials = [...chosen].map((number) => byNumber.get(number));
    const columns = trials.length > 1 && byId("curves-plot").clientWidth > 600 ? 2 : 1;
    const rows = Math.max(1, Math.ceil(trials.length / columns));
    const panelHeight = 190;
    const gap = 90; // pixels between rows: an axis with its title, and the title of a panel
    const height = rows * panelHeight + (rows - 1) * gap;
    const layout = { height: height + 180, margin: { t: 46 }, annotations: [] };
    const data = [];
    const named = new Set();
    trials.forEach((trial, place) => {
      const row = Math.floor(place / columns);
      const column = place % columns;
      const end = place === 0 ? "" : String(place + 1);
      const width = columns === 2 ? 0.45 : 1;
      const x = [column * 0.55, column * 0.55 + width];
      const top = 1 - (row * (panelHeight + gap)) / height;
      const y = [Math.max(0, top - panelHeight / height), top];
      const last = place + columns >= trials.length;
      layout[`xaxis${end}`] = { domain: x, anchor: `y${end}`, title: last ? { text: "updates" } : undefined, rangemode: "tozero" };
      layout[`yaxis${end}`] = { domain: y, anchor: `x${end}`, title: column === 0 ? { text: curves.words } : undefined, nticks: 5 };
      layout.annotations.push({
        text: `<b>trial ${trial.number}</b>, ${trial.outcome}<br>${escaped(shortened(trial.growth, columns === 2 ? 48 : 40))}`,
        x: x[0], y: top, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", align: "left", showarrow: false, font: { size: 12.5 },
      });
      for (const arm of trial.arms) {
        data.push({
          type: "scatter",
          x: arm.steps,
          y: arm.values,
          xaxis: `x${end}`,
          yaxis: `y${end}`,
          mode: arm.steps.length < 12 ? "lines+markers" : "lines",
          name: escaped(arm.name),
          legendgroup: arm.name,
          showlegend: !named.has(arm.name),
          line: { ...curves.look[arm.name], width: arm === trial.arms[0] ? 3.5 : 2 },
          marker: { size: 6 },
          customdata: arm.steps.map(() => trial.number),
          hovertext: arm.steps.map((step, at) => `${escaped(arm.name)}, ${step.toLocaleString("en")} updates: ${arm.values[at].toFixed(4)}, loss ${arm.losses[at].toFixed(4)}`),
          hoverinfo: "text",
        });
        named.add(arm.name);
      }
    });
    return { data, layout };
  }

  function drawCurves() {
    const element = byId("curves-plot");
    if (!element) return;
    byId("chosen-count").textContent = `(${chosen.size} of ${numbers.length})`;
    const ends = [...chosen].map((number) => {
      const trial = byNumber.get(number);
      const arms = trial.arms.map((arm) => `${arm.name} ${arm.values.at(-1).toFixed(4)}`);
      return `Trial ${number}: ${arms.join(", ")}.`;
    });
    byId("curves-text").textContent = chosen.size ? `At the end of the training: ${ends.join(" ")}` : "No trial is chosen.";
    element.hidden = !chosen.size;
    if (chosen.size) draw(element, curvesFigure());
    else if (drawn.delete(element)) Plotly.purge(element);
  }

  function fillChoices() {
    const box = byId("choices");
    if (!box) return;
    for (const trial of curves.trials) {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "checkbox", value: trial.number, checked: chosen.has(trial.number) });
      input.addEventListener("change", () => choose((number) => (number === trial.number ? input.checked : chosen.has(number))));
      label.append(input, document.createElement("span"));
      label.lastChild.textContent = `${trial.number} ${trial.growth} (${trial.outcome}${trial.arms.length > 1 ? ", controls" : ""})`;
      box.append(label);
    }
    const rules = { kept: isKept, controls: hasControls, none: () => false };
    for (const button of document.querySelectorAll("[data-choose]")) {
      button.addEventListener("click", () => choose(rules[button.dataset.choose]));
    }
  }

  // -- the command -------------------------------------------------------------------------------

  byId("copy").addEventListener("click", async () => {
    const command = byId("command");
    let words = "Copied.";
    try {
      await navigator.clipboard.writeText(command.textContent);
    } catch {
      getSelection().selectAllChildren(command);
      words = "Selected: copy it with the keyboard.";
    }
    byId("copied").textContent = words;
  });

  // -- the beginning -----------------------------------------------------------------------------

  try {
    chosenTheme = localStorage.getItem("growsearch-theme") || "auto";
    if (!(chosenTheme in THEMES)) chosenTheme = "auto";
  } catch {
    chosenTheme = "auto";
  }
  showTheme();
  chosen = firstChoice();
  fillChoices();
  for (const element of document.querySelectorAll("[data-figure]")) {
    draw(element, json(`data-${element.dataset.figure}`));
  }
  drawCurves();
  if (location.hash.startsWith("#trial-")) openTrial(location.hash.slice("#trial-".length));
  root.dataset.ready = "yes";
})();
