"use strict";
const PAPER = 660; // width of a printed column in CSS pixels
const plots = [...document.querySelectorAll(".plot")];
const narrow = matchMedia("(max-width: 700px)");

// plotly.js lies in the page as gzip in base64.
async function load() {
  const packed = atob(document.getElementById("library").textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

function draw(plot) {
  const source = document.querySelector(`script[data-for="${plot.id}"]`);
  const figure = JSON.parse(source.textContent);
  figure.layout.dragmode = narrow.matches ? false : "zoom"; // a finger scrolls the page
  return Plotly.newPlot(plot, figure.data, figure.layout, { displayModeBar: false, responsive: true });
}

// A frame that is still being written keeps the page from being loaded, and printed, before its figures are drawn.
const writing = document.createElement("iframe");
writing.hidden = true;
document.body.append(writing);
writing.contentDocument.open();

if ("DecompressionStream" in window) {
  load()
    .then(() => Promise.all(plots.map(draw)))
    .finally(() => {
      writing.contentDocument.close();
      writing.remove();
    });
} else {
  writing.contentDocument.close();
  document.getElementById("undrawn").hidden = false;
}

// On paper a figure has the width of its column, whatever the window was.
addEventListener("beforeprint", () => {
  for (const plot of plots) {
    const several = plot.closest(".several") !== null;
    Plotly.relayout(plot, { width: several ? PAPER / 2 - 12 : PAPER });
  }
});
addEventListener("afterprint", () => {
  for (const plot of plots) Plotly.relayout(plot, { width: null, autosize: true });
});
