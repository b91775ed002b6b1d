//! What becomes of snapper's configurations, among them one that snapper itself wrote.

use subvault_render::import::Fate;
use subvault_render::import::snapper::{SnapperFile, import};

use crate::golden::compare;

fn file(name: &str, text: &str) -> SnapperFile {
    SnapperFile { name: name.to_owned(), path: format!("/etc/snapper/configs/{name}"), text: text.to_owned() }
}

#[test]
fn what_becomes_of_it() {
    let template = std::fs::read_to_string("/usr/share/snapper/config-templates/default").unwrap();
    let files = [
        file("root", &template),
        file("home", HOME),
        file("data", "SUBVOLUME='/srv/my data'\nTIMELINE_CREATE=no\nNUMBER_CLEANUP=no\nNUMBERS=3\n"),
        file("lvm", "SUBVOLUME=/var\nFSTYPE=\"lvm(xfs)\"\n"),
    ];
    let imported = import(&files).unwrap();
    toml::from_str::<toml::Table>(&imported.config).unwrap();
    let remarks: String = imported.remarks.iter().map(|remark| format!("{remark}\n")).collect();
    compare("import/snapper.toml", &imported.config);
    compare("import/snapper.txt", &remarks);
}

/// The keys that the template has are those that snapper reads, but for the newest.
#[test]
fn every_key_of_the_template_is_known() {
    let template = std::fs::read_to_string("/usr/share/snapper/config-templates/default").unwrap();
    let imported = import(&[file("root", &template)]).unwrap();
    assert!(imported.remarks.len() > 20);
    assert!(imported.remarks.iter().all(|remark| remark.fate != Fate::Unknown), "{:?}", imported.remarks);
}

#[test]
fn mistakes_are_told_with_their_line() {
    let told = |text: &str| import(&[file("x", text)]).unwrap_err().to_string();
    assert_eq!(
        told("A=1\nodd line\n"),
        "/etc/snapper/configs/x:2: `odd line` is no assignment that snapper would read"
    );
    assert!(told("TIMELINE_CREATE=yes\n").contains("names no SUBVOLUME"));
    assert!(told("SUBVOLUME=home\n").contains("names no SUBVOLUME"));
}

const HOME: &str = "\
SUBVOLUME=\"/home\"
FSTYPE=\"btrfs\"
QGROUP=\"1/0\"
SPACE_LIMIT=\"0.5\"
FREE_LIMIT=\"0.2\"
ALLOW_USERS=\"alice bob\"
NUMBER_CLEANUP=\"yes\"
NUMBER_MIN_AGE=\"7200\"
NUMBER_LIMIT=\"2-20\"
NUMBER_LIMIT_IMPORTANT=\"0\"
TIMELINE_CREATE=\"yes\"
TIMELINE_CLEANUP=\"yes\"
TIMELINE_LIMIT_HOURLY=\"24\"
TIMELINE_LIMIT_DAILY=\"7\"
TIMELINE_LIMIT_WEEKLY=\"4\"
TIMELINE_LIMIT_MONTHLY=\"12\"
TIMELINE_LIMIT_QUARTERLY=\"2\"
TIMELINE_LIMIT_YEARLY=\"0\"
EMPTY_PRE_POST_CLEANUP=\"yes\"
";
