// What is wrong with the page that is shown: as a list of sentences. Run in the page by report.py.
const findings = [];
const find = (text) => { if (findings.length < 40) findings.push(text); };
const name = (element) => `${element.tagName.toLowerCase()} "${element.textContent.trim().slice(0, 40)}"`;
const is_shown = (element) => element.checkVisibility() && element.getClientRects().length > 0;

// Nothing may be broader than the screen.
const screen_width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > screen_width) {
    find(`the page is ${document.documentElement.scrollWidth} wide on a screen of ${screen_width}`);
}
for (const element of document.querySelectorAll('main *, header *')) {
    const box = element.getBoundingClientRect();
    const is_aside = getComputedStyle(element).position === 'absolute' || element.closest('thead, svg, .skip');
    if (is_shown(element) && !is_aside && (box.right > screen_width + 1 || box.left < -1)) {
        find(`${name(element)} is beside the screen`);
    }
}

// Labels of pictures are inside of them and not over each other.
for (const svg of document.querySelectorAll('svg')) {
    if (!is_shown(svg)) continue;
    const frame = svg.getBoundingClientRect();
    const labels = [...svg.querySelectorAll('text')].map((text) => [text, text.getBoundingClientRect()]);
    labels.forEach(([text, box], index) => {
        if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) {
            find(`${name(text)} is cut off by its picture`);
        }
        for (const [other, beside] of labels.slice(index + 1)) {
            const broad = Math.min(box.right, beside.right) - Math.max(box.left, beside.left);
            const high = Math.min(box.bottom, beside.bottom) - Math.max(box.top, beside.top);
            // Boxes of letters reach above and below what is seen of them.
            if (broad > 0 && high > 3) find(`${name(text)} is over ${name(other)}`);
        }
    });
    if (parseFloat(getComputedStyle(svg).width) / svg.viewBox.baseVal.width < 0.8) find(`${name(svg)} is shown too small`);
}

// Texts stand out from what is behind them (WCAG 2.2, 1.4.3: 4.5 to 1).
const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
const over = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const brightness = (colour) => {
    const [red, green, blue] = colour.map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const contrast = (one, other) => {
    const [low, high] = [brightness(one), brightness(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
};
const paint = (element) => element instanceof SVGElement ? getComputedStyle(element).fill : getComputedStyle(element).backgroundColor;
const has_text = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
let seen = 0;
for (const element of document.querySelectorAll('body *')) {
    if (!has_text(element) || !is_shown(element) || element.closest('title, desc, .skip, thead[role]') && !element.checkVisibility()) continue;
    const box = element.getClientRects()[0];
    const behind = document.elementsFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    if (!behind.includes(element)) continue;
    const layers = behind.filter((one) => one.tagName !== 'text' && one.tagName !== 'path' && one.tagName !== 'svg').map(paint).reverse();
    const own = element.tagName === 'text' ? getComputedStyle(element).fill : getComputedStyle(element).color;
    const ground = over(['white', ...layers]);
    const found = contrast(over([`rgb(${ground})`, own]), ground);
    seen += 1;
    if (found < 4.5) find(`${name(element)} has a contrast of ${found.toFixed(2)}`);
}
if (seen < arguments[0]) find(`only ${seen} texts were looked at`);
return findings;
