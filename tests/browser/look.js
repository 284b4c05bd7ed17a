// What an eye would object to on the page as it is shown now; each function returns sentences, none if all is well.
window.driftbookLook = (function () {
  "use strict";
  const SCOPE = "#rendered_cells";

  function rgba(text) {
    const found = /^rgba?\(([^)]+)\)$/.exec(text) || /^color\(srgb ([^)]+)\)$/.exec(text);
    if (found === null) { return null; }
    const parts = found[1].split(/[\s,/]+/).map(Number);
    const scale = text.startsWith("color") ? 255 : 1;
    return [parts[0] * scale, parts[1] * scale, parts[2] * scale, parts.length > 3 ? parts[3] : 1];
  }

  function over(top, below) {
    const share = top[3];
    return [0, 1, 2].map((place) => top[place] * share + below[place] * (1 - share)).concat(1);
  }

  function faded(colour, share) { return [colour[0], colour[1], colour[2], colour[3] * share]; }

  function luminance(colour) {
    const [red, green, blue] = colour.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function contrast(one, other) {
    const [high, low] = [luminance(one), luminance(other)].sort((left, right) => right - left);
    return (high + 0.05) / (low + 0.05);
  }

  function ancestors(element) {
    const found = [];
    for (let each = element; each !== null; each = each.parentElement) { found.push(each); }
    return found.reverse();
  }

  // what lies behind an element: the grounds of all it stands in, the outermost first
  function ground(element) {
    let found = [255, 255, 255, 1];
    for (const each of ancestors(element)) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour !== null && colour[3] > 0) { found = over(colour, found); }
    }
    return found;
  }

  function opacity(element) {
    return ancestors(element).reduce((share, each) => share * Number(getComputedStyle(each).opacity), 1);
  }

  // in a drawing also the shapes that were drawn before it and that it stands on
  function groundInDrawing(text) {
    const drawing = text.ownerSVGElement;
    let found = ground(drawing);
    const box = text.getBoundingClientRect();
    const middle = new DOMPoint(box.x + box.width / 2, box.y + box.height / 2);
    for (const shape of drawing.querySelectorAll("rect,circle,path,polygon,ellipse")) {
      if (!(shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING)) { break; }
      if (shape.closest("defs,clipPath,pattern")) { continue; }
      const style = getComputedStyle(shape);
      const colour = rgba(style.fill);
      if (colour === null || !shape.isPointInFill(middle.matrixTransform(shape.getScreenCTM().inverse()))) { continue; }
      found = over(faded(colour, Number(style.fillOpacity) * opacity(shape)), found);
    }
    return found;
  }

  function isShown(element) {
    const box = element.getBoundingClientRect();
    return element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && box.width > 1 && box.height > 1;
  }

  function written() {
    const found = new Set(document.querySelectorAll(`${SCOPE} select, ${SCOPE} input[type=text]`));
    const walker = document.createTreeWalker(document.querySelector(SCOPE), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (walker.currentNode.data.trim() && !element.closest("style,script,title,desc,option")) { found.add(element); }
    }
    return [...found].filter(isShown);
  }

  function named(element) {
    const words = (element.value || element.textContent).trim().replace(/\s+/g, " ").slice(0, 40);
    return `"${words}" (${element.tagName.toLowerCase()} ${element.getAttribute("class") || ""})`;
  }

  function paleWords() {
    const faults = [];
    for (const element of written()) {
      const style = getComputedStyle(element);
      const drawn = element instanceof SVGElement;
      const ink = rgba(drawn ? style.fill : style.color);
      const behind = drawn ? groundInDrawing(element) : ground(element);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      const share = opacity(element) * (drawn ? Number(style.fillOpacity) : 1);
      const found = contrast(over(faded(ink, share), behind), behind);
      if (found < (large ? 3 : 4.5)) { faults.push(`${named(element)}: ${found.toFixed(2)} to 1`); }
    }
    return faults;
  }

  function tooWide() {
    const page = document.scrollingElement;
    const faults = page.scrollWidth > page.clientWidth ? [`the page is ${page.scrollWidth} of ${page.clientWidth} wide`] : [];
    for (const element of document.querySelectorAll(`${SCOPE} *`)) {
      const style = getComputedStyle(element);
      if (element instanceof SVGElement || !isShown(element) || element.tagName === "SELECT") { continue; }
      const [right, down] = [element.scrollWidth - element.clientWidth, element.scrollHeight - element.clientHeight];
      const scrolls = (/auto|scroll/.test(style.overflowX) && right > 1) || (/auto|scroll/.test(style.overflowY) && down > 1);
      const cuts = /hidden|clip/.test(style.overflowX) && right > 1 && element.textContent.trim() && style.position !== "absolute";
      if (element.clientWidth > 1 && scrolls) { faults.push(`${named(element)} scrolls within the page by ${right}, ${down}`); }
      if (element.clientWidth > 1 && cuts) { faults.push(`${named(element)} is cut by ${right}`); }
    }
    return faults;
  }

  function cutLetters() {
    const faults = [];
    for (const text of document.querySelectorAll(`${SCOPE} svg text`)) {
      if (!isShown(text)) { continue; }
      const [box, frame] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
      const out = Math.max(frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom);
      if (out > 2) { faults.push(`${named(text)} stands ${out.toFixed(0)} outside its figure`); }
    }
    return faults;
  }

  function crossedLetters() {
    const faults = [];
    for (const drawing of document.querySelectorAll(`${SCOPE} svg[role=img]`)) {
      if (!isShown(drawing)) { continue; }
      const boxes = [...drawing.querySelectorAll("text")].filter(isShown).map((text) => [text, text.getBoundingClientRect()]);
      boxes.forEach(([one, left], place) => {
        for (const [other, right] of boxes.slice(place + 1)) {
          const wide = Math.min(left.right, right.right) - Math.max(left.left, right.left);
          const high = Math.min(left.bottom, right.bottom) - Math.max(left.top, right.top);
          if (wide > 3 && high > 5) { faults.push(`${named(one)} lies on ${named(other)}`); }
        }
      });
    }
    return faults;
  }

  function smallLetters() {
    const sizes = written().map((element) => {
      const scale = element instanceof SVGElement ? element.getScreenCTM().a : 1;
      return [element, parseFloat(getComputedStyle(element).fontSize) * scale];
    });
    return sizes.filter(([, size]) => size < 10).map(([element, size]) => `${named(element)}: ${size.toFixed(1)} pixels`);
  }

  return { paleWords, tooWide, cutLetters, crossedLetters, smallLetters };
}());
