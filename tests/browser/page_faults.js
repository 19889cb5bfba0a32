// What is wrong with a page for people who read it with a keyboard, a screen reader, or in the sun; an empty list: nothing.
() => {
  const faults = [];
  const all = [...document.querySelectorAll("body *")];
  const ids = all.map((element) => element.id).filter(Boolean);
  ids.filter((id, place) => ids.indexOf(id) !== place).forEach((id) => faults.push(`id ${id} twice`));
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  for (const field of document.querySelectorAll("input:not([type=hidden]),select,textarea"))
    if (!field.labels?.length && !field.ariaLabel) faults.push(`no label: ${field.outerHTML}`);
  for (const button of document.querySelectorAll("button,a[href]"))
    if (!button.textContent.trim() && !button.ariaLabel) faults.push(`no name: ${button.outerHTML}`);
  const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [red, green, blue] = parts(colour).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((parts(colour)[3] ?? 1) === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  for (const element of all) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) || !element.checkVisibility()) continue;
    const [one, other] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a);
    if ((one + 0.05) / (other + 0.05) < 4.5) faults.push(`hard to read: ${element.outerHTML.slice(0, 100)}`);
  }
  return faults;
}
