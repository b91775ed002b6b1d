//! `info.xml`: what snapper notes beside a snapshot. Read only, and never trusted for more than words to show.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// More than any that snapper wrote.
const BYTES_MAX: u64 = 1 << 20;

/// What snapper notes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Info {
    /// Its number.
    pub number: Option<u32>,
    /// `single`, `pre` or `post`.
    pub kind: Option<String>,
    /// Of a `post`: the number of its `pre`.
    pub pre: Option<u32>,
    /// When it was taken. snapper writes UTC.
    pub taken: Option<Timestamp>,
    /// What it is for.
    pub description: Option<String>,
    /// Which of snapper's ways of cleaning up it is left to; none if it stays.
    pub cleanup: Option<String>,
    /// What its user noted.
    pub userdata: Vec<(String, String)>,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: Option<String>,
    num: Option<u32>,
    pre_num: Option<u32>,
    date: Option<String>,
    description: Option<String>,
    cleanup: Option<String>,
    #[serde(default)]
    userdata: Vec<Pair>,
}

#[derive(Debug, Deserialize)]
struct Pair {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: String,
}

/// Reads a file; `None` for one that is not there or is none.
pub(super) fn read(path: &Path) -> Option<Info> {
    let mut text = String::new();
    File::open(path).ok()?.take(BYTES_MAX).read_to_string(&mut text).ok()?;
    understand(&text)
}

fn understand(text: &str) -> Option<Info> {
    let written: Written = quick_xml::de::from_str(text).ok()?;
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    Some(Info {
        number: written.num,
        kind: said(written.kind),
        pre: written.pre_num,
        taken: written.date.and_then(|date| moment(&date)),
        description: said(written.description),
        cleanup: said(written.cleanup),
        userdata: written.userdata.into_iter().map(|pair| (pair.key, pair.value)).collect(),
    })
}

fn moment(text: &str) -> Option<Timestamp> {
    let shown = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
    Some(shown.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_snapper_wrote_is_read() {
        let text = "<?xml version=\"1.0\"?>\n<snapshot>\n  <type>post</type>\n  <num>3</num>\n  \
            <date>2026-11-20 20:46:01</date>\n  <pre_num>2</pre_num>\n  <description>a &lt;b&gt; &amp; &#xE4;</description>\n  \
            <cleanup>number</cleanup>\n  <userdata>\n    <key>important</key>\n    <value>yes</value>\n  </userdata>\n  \
            <userdata>\n    <key>k</key>\n    <value>v</value>\n  </userdata>\n  <newer/>\n</snapshot>\n";
        let wanted = Info {
            number: Some(3),
            kind: Some("post".to_owned()),
            pre: Some(2),
            taken: Some("2026-11-20T20:46:01Z".parse().unwrap()),
            description: Some("a <b> & ä".to_owned()),
            cleanup: Some("number".to_owned()),
            userdata: vec![("important".to_owned(), "yes".to_owned()), ("k".to_owned(), "v".to_owned())],
        };
        assert_eq!(understand(text), Some(wanted));
        let bare = understand("<snapshot><num>1</num><description></description></snapshot>").unwrap();
        assert_eq!(bare, Info { number: Some(1), ..Info::default() });
        for bad in ["", "<snapshot>", "no xml", "<snapshot><num>x</num></snapshot>", "<a>\u{0}</a"] {
            assert_eq!(understand(bad), None, "{bad}");
        }
    }
}
