// What scrolls sideways can be reached by the keyboard; the captions of the contents have a level.
const scrolling = ".highlight pre, .table-wrapper, .math-wrapper";

function reachable() {
  for (const element of document.querySelectorAll(scrolling)) {
    if (element.scrollWidth > element.clientWidth) {
      element.tabIndex = 0;
    } else {
      element.removeAttribute("tabindex");
    }
  }
}

for (const caption of document.querySelectorAll(".caption[role=heading]")) {
  caption.setAttribute("aria-level", "2");
}
reachable();
window.addEventListener("resize", reachable);
