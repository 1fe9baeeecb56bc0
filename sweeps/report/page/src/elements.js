// Elements of the page that several views make.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A name that may break after `_`, `/` and `.`, as a narrow column needs it. */
export function breakable(text) {
  return text
    .split(/(?<=[_/.])/)
    .flatMap((part, place) => (place ? [element("wbr"), part] : [part]));
}

export function statusLabel(status) {
  return element("span", { className: `status ${status}`, textContent: status });
}

/** Fill a select with [value, text] pairs. */
export function fill(select, options) {
  select.replaceChildren(
    ...options.map(([value, text]) => element("option", { value, textContent: text })),
  );
}

export function copyButton(text, label) {
  const button = element("button", {
    type: "button",
    className: "small",
    textContent: "copy",
    title: text,
    "aria-label": label,
  });
  button.addEventListener("click", async () => {
    button.textContent = (await copied(text)) ? "copied" : "not allowed";
    setTimeout(() => {
      button.textContent = "copy";
    }, 1500);
  });
  return button;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without permission: the older way.
    const area = element("textarea", { value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
