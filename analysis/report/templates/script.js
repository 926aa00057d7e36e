"use strict";
const PAPER = 660; // width of a printed column in CSS pixels
const plots = [...document.querySelectorAll(".plot")];
const narrow = matchMedia("(max-width: 700px)");

function draw(plot) {
  const source = document.querySelector(`script[data-for="${plot.id}"]`);
  const figure = JSON.parse(source.textContent);
  figure.layout.dragmode = narrow.matches ? false : "zoom"; // a finger scrolls the page
  return Plotly.newPlot(plot, figure.data, figure.layout, { displayModeBar: false, responsive: true });
}

plots.forEach(draw);

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
