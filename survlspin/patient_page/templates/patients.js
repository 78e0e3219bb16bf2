"use strict";
const patients = JSON.parse(document.getElementById("index").textContent);
const find = document.getElementById("find"), list = document.getElementById("list");
const pages = [...document.querySelectorAll("article")];
const options = patients.map(({ label, hr }, i) => {
  const option = list.appendChild(document.createElement("li"));
  option.id = `option-${i}`;
  option.setAttribute("role", "option");
  option.append(label, Object.assign(document.createElement("span"), { textContent: `HR ${hr}` }));
  option.addEventListener("click", () => pick(i));
  return option;
});
let picked = 0;
function pick(i) {
  picked = i;
  pages.forEach((page, j) => { page.hidden = j !== i; });
  options.forEach((option, j) => option.setAttribute("aria-selected", j === i));
  find.setAttribute("aria-activedescendant", options[i].id);
  options[i].scrollIntoView({ block: "nearest" });
}
function search() {
  const wanted = find.value.trim().toLowerCase();
  options.forEach((option, i) => { option.hidden = !patients[i].label.toLowerCase().includes(wanted); });
  const shown = options.filter((option) => !option.hidden);
  document.getElementById("count").textContent = `${shown.length} of ${options.length} patients`;
  if (shown.length && options[picked].hidden) pick(options.indexOf(shown[0]));
  return shown;
}
find.addEventListener("input", search);
find.addEventListener("keydown", (event) => {
  const move = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
  if (!move) return;
  event.preventDefault();
  const shown = search();
  const next = Math.min(Math.max(shown.indexOf(options[picked]) + move, 0), shown.length - 1);
  if (shown.length) pick(options.indexOf(shown[next]));
});
document.getElementById("all").addEventListener("click", () => {
  pages.forEach((page) => { page.hidden = false; });
  window.print();
  pick(picked);
});
document.getElementById("picker").hidden = false;
search();
pick(0);
