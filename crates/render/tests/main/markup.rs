//! Markup as others read it: Python's parsers for XML and HTML, which share nothing with what wrote it.

use std::io::Write;
use std::process::{Command, Stdio};

/// Reads an HTML file; fails unless its tags are balanced and each is one that a report has, with attributes that it has. Each SVG
/// must be well-formed XML by itself, and ids must be there once. Prints the text that a reader sees.
const READ: &str = r##"
import html.parser, re, sys, xml.etree.ElementTree
VOID = {"meta", "link", "br"}
KNOWN = set("html head body meta link title style a header main section nav p h1 h2 ul li dl dt dd div span strong bdi code table caption thead tbody tr th td details summary figure figcaption svg desc defs pattern g rect path circle text".split())
ATTRIBUTES = set("lang charset http-equiv content name rel href id class aria-label aria-labelledby aria-hidden role scope xmlns viewbox width height x y rx d cx cy r fill stroke-width patternunits text-anchor".split())
text = sys.stdin.buffer.read().decode("utf-8")
class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.seen = [], [], []
    def handle_starttag(self, tag, attributes):
        assert tag in KNOWN, tag
        for name, value in attributes:
            assert name in ATTRIBUTES, (tag, name)
            assert name != "href" or value.startswith("#") or value == "data:,", value
            if name == "id": self.ids.append(value)
        if tag not in VOID: self.open.append(tag)
    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID: self.open.pop()
    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, (tag, self.open)
    def handle_comment(self, data): raise AssertionError(data)
    def handle_pi(self, data): raise AssertionError(data)
    def handle_data(self, data):
        if self.open and self.open[-1] != "style": self.seen.append(data)
reader = Reader()
reader.feed(text)
reader.close()
assert reader.open == [], reader.open
assert len(reader.ids) == len(set(reader.ids)), "an id is there twice"
pictures = re.findall("<svg.*?</svg>", text, re.S)
for picture in pictures:
    root = xml.etree.ElementTree.fromstring(picture)
    named = {one.get("id") for one in root.iter()}
    assert set(root.get("aria-labelledby").split()) <= named
    assert all(one in named for one in re.findall(r"url\(#(.*?)\)", picture))
assert pictures, "there is no picture"
sys.stdout.buffer.write("".join(reader.seen).encode("utf-8"))
"##;

/// The text that a reader of an HTML file sees.
pub(crate) fn read_html(html: &str) -> String {
    let mut python = Command::new("python3")
        .args(["-c", READ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(html.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The cells of each row of the tables of a Markdown file, as GitHub cuts them: at each `|` that has no backslash before it. Code
/// that is fenced is left out.
pub(crate) fn table_rows(markdown: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut is_fenced = false;
    for line in markdown.lines() {
        is_fenced ^= line.starts_with("```");
        let Some(inner) = line.strip_prefix("| ").filter(|_| !is_fenced) else { continue };
        let mut cells = vec![String::new()];
        let mut before = ' ';
        for letter in inner.chars() {
            if letter == '|' && before != '\\' {
                cells.push(String::new());
            } else {
                cells.last_mut().unwrap().push(letter);
            }
            before = letter;
        }
        assert_eq!(cells.pop().as_deref(), Some(""), "a row that does not end: {line}");
        rows.push(cells);
    }
    rows
}
