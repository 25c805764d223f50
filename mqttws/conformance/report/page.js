"use strict";
{
  const dialog = document.querySelector("dialog");
  const heading = dialog.querySelector("h2");
  const body = dialog.querySelector("main");
  const cells = new Map([...document.querySelectorAll(".grid button")].map((button) => [button.id, button]));

  const content = (id) => document.getElementById(id).content.cloneNode(true);

  function show(button) {
    const cell = button.parentElement;
    const row = cell.parentElement;
    const subject = cell.closest("table").tHead.rows[0].cells[cell.cellIndex].textContent;
    const verdict = document.createElement("p");
    verdict.textContent = button.textContent;
    verdict.className = `verdict ${cell.className}`;
    heading.textContent = `${subject}: ${row.querySelector(".title").textContent}`;
    body.replaceChildren(verdict, content(row.dataset.rule));
    if (button.dataset.detail) body.append(content(button.dataset.detail));
    for (const figure of body.querySelectorAll("[data-part]")) figure.append(content(figure.dataset.part));
    history.replaceState(null, "", `#${encodeURIComponent(button.id)}`);
    dialog.showModal();
    dialog.scrollTop = 0;
  }

  function follow() {
    const button = cells.get(decodeURIComponent(location.hash.slice(1)));
    if (button && !dialog.open) {
      button.scrollIntoView({ block: "center" });
      button.focus();
      show(button);
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".grid button");
    if (button) show(button);
    else if (event.target === dialog || event.target.closest("dialog header button")) dialog.close();
  });
  dialog.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));

  const count = document.querySelector("output");
  const choose = () => {
    document.body.dataset.show = document.querySelector("input[name=show]:checked").value;
    const rows = [...document.querySelectorAll(".grid tbody tr:not(.chapter)")];
    const visible = rows.filter((row) => row.getClientRects().length > 0);
    count.value = `${visible.length} of ${rows.length} checks shown`;
  };
  document.querySelector("fieldset").addEventListener("change", choose);
  choose();
  addEventListener("hashchange", follow);
  follow();
}
