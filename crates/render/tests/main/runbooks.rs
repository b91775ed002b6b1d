//! Runbooks: golden files, and whether a name can ever change what a command does. That the commands work is tested on
//! real machines, with the program.

mod hosts;

use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use subvault_render::runbook::{Kind, NOT_RUN, Page, Part, Place, Runbook, Step, pages, runbooks};

use self::hosts::{Parts, desktop, laptop, replaced, server, unseen, with_names};
use crate::golden::compare;

fn all() -> Vec<(&'static str, Runbook)> {
    vec![
        ("laptop", laptop().runbook()),
        ("server", server().runbook()),
        ("desktop", desktop().runbook()),
        ("unseen", unseen()),
    ]
}

#[test]
fn the_pages_are_as_they_were_read() {
    for (name, runbook) in all() {
        for file in runbooks(&runbook) {
            compare(&format!("runbooks/{name}/{}", file.path.display()), &file.text);
        }
    }
}

fn steps(part: &Part) -> impl Iterator<Item = &Step> {
    part.steps.iter().chain(&part.check).chain(&part.back)
}

fn all_steps(pages: &[Page]) -> Vec<&Step> {
    pages.iter().flat_map(|page| page.parts.iter().flat_map(steps)).collect()
}

/// The fenced blocks of a page, each with whether a test runs it.
fn blocks(text: &str) -> Vec<(String, bool)> {
    let mut blocks: Vec<(String, bool)> = Vec::new();
    let mut lines = text.lines();
    let mut is_run = true;
    while let Some(line) = lines.next() {
        is_run &= !line.starts_with(NOT_RUN);
        if line.starts_with("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((block.join("\n"), std::mem::replace(&mut is_run, true)));
        }
    }
    blocks
}

#[test]
fn the_blocks_of_a_page_are_its_commands_and_nothing_else() {
    for (name, runbook) in all() {
        let files = runbooks(&runbook);
        for page in pages(&runbook) {
            let file = files.iter().find(|file| file.path == Path::new(&format!("{}.md", page.name))).unwrap();
            let commands = page.parts.iter().flat_map(steps).flat_map(|step| &step.commands);
            let wanted: Vec<_> = commands.map(|c| (c.shell.clone(), c.kind == Kind::Test)).collect();
            assert_eq!(blocks(&file.text), wanted, "{name} {}", page.name);
        }
    }
}

#[test]
fn the_page_to_print_has_everything_and_needs_nothing() {
    for (name, runbook) in all() {
        let html = runbooks(&runbook).pop().unwrap().text;
        let escaped =
            |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        for step in all_steps(&pages(&runbook)) {
            for command in &step.commands {
                assert!(html.contains(&format!("<pre>{}</pre>", escaped(&command.shell))), "{name}: {}", command.shell);
            }
        }
        for needed in ["<script", "src=", "<link", "url(", "@import"] {
            assert!(!html.contains(needed), "{name}: {needed}");
        }
        let links = html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        for link in links {
            let section = format!("<section id=\"{}\">", link.trim_start_matches('#'));
            assert!(link.starts_with('#') && html.contains(&section), "{name}: {link}");
        }
    }
}

#[test]
fn each_situation_has_its_page() {
    let names = |runbook: &Runbook| pages(runbook).into_iter().map(|page| page.name).collect::<Vec<_>>();
    assert_eq!(
        names(&laptop().runbook()),
        ["file", "directory", "subvolume", "rollback", "archive-vault", "disk-usb", "bare-metal"]
    );
    assert_eq!(
        names(&server().runbook()),
        [
            "file",
            "directory",
            "subvolume",
            "rollback",
            "postgresql",
            "mariadb",
            "redis",
            "cloud-s3",
            "cloud-glacier",
            "host-ovh",
            "bare-metal"
        ]
    );
    assert_eq!(
        names(&desktop().runbook()),
        [
            "file",
            "directory",
            "subvolume",
            "rollback",
            "postgresql",
            "disk-linbkup",
            "disk-second",
            "bare-metal",
            "windows",
            "android"
        ]
    );
    for page in all().into_iter().flat_map(|(_, runbook)| pages(&runbook)) {
        assert!(!page.at_hand.is_empty() && !page.parts.is_empty(), "{}", page.name);
        let is_for_linux = !["windows", "android"].contains(&page.name.as_str());
        for part in page.parts.iter().filter(|_| is_for_linux) {
            assert!(!part.steps.is_empty(), "{}: {:?}", page.name, part.title);
        }
    }
}

/// What bash makes of all commands of a host: each with its words, in any order.
struct Understood {
    words: Vec<Vec<Vec<u8>>>,
    complaints: String,
}

/// Nothing is found to be run: what would be is written down, word by word. What another machine is told, its shell reads.
const WRITTEN_DOWN: &str = "\
command_not_found_handle() {
    if [ \"$1\" = ssh ]; then
        printf '%s\\0' $(($# - 1)) \"${@:1:$#-1}\" >> \"$LOG\"
        eval \"${@: -1}\"
        return
    fi
    printf '%s\\0' \"$#\" \"$@\" >> \"$LOG\"
    [ \"$1\" != redis-cli ] || echo PONG
    return $ANSWER
}
PATH=/nowhere
set -u +e
";

fn understood(runbook: &Runbook, answer: u8) -> Understood {
    let dir = tempfile::TempDir::with_prefix("subvault-runbook-").unwrap();
    let (log, inside) = (dir.path().join("log"), dir.path().join("inside"));
    fs::create_dir(&inside).unwrap();
    let mut script = WRITTEN_DOWN.to_owned();
    // Each part by itself: a variable of one must not be needed by another.
    for part in pages(runbook).iter().flat_map(|page| &page.parts) {
        let commands = steps(part).flat_map(|step| &step.commands);
        let of_linux = commands.filter(|command| !matches!(command.place, Place::Elsewhere(_)));
        // What waits for an answer would wait for ever.
        let ends = of_linux.filter(|command| answer == 0 || !command.shell.starts_with("until "));
        let lines: String = ends.map(|command| format!("{}\n", command.shell)).collect();
        script.push_str(&format!("(\n:\n{lines}\n)\n"));
    }
    let file = dir.path().join("script");
    fs::write(&file, script).unwrap();
    let output = Command::new("/usr/bin/timeout")
        .args(["60", "/bin/bash", "--noprofile", "--norc"])
        .arg(file)
        .env_clear()
        .envs([("LOG", log.as_os_str()), ("ANSWER", answer.to_string().as_ref()), ("LC_ALL", "C.UTF-8".as_ref())])
        .current_dir(&inside)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() != Some(124), "a command waits for ever: {told}");
    assert_eq!(fs::read_dir(&inside).unwrap().count(), 0, "a command wrote a file: {told}");
    let wrong = ["syntax", "unexpected", "bad substitution", "ambiguous", "unbound"];
    let complaints = told.lines().filter(|line| wrong.iter().any(|word| line.contains(word)));
    let complaints = complaints.map(|line| format!("{line}\n")).collect();
    let mut words = records(&fs::read(&log).unwrap());
    // That no option follows is said where a name needs it.
    for words in &mut words {
        if let Some(at) = words.len().checked_sub(2).filter(|at| words[*at] == b"--") {
            words.remove(at);
        }
    }
    words.sort();
    Understood { words, complaints }
}

/// Each command's words, as they were written down.
fn records(log: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut fields = log.split(|byte| *byte == 0).map(<[u8]>::to_vec);
    let mut records = Vec::new();
    while let Some(count) = fields.next().filter(|count| !count.is_empty()) {
        let count: usize = String::from_utf8(count).unwrap().parse().unwrap();
        records.push(fields.by_ref().take(count).collect());
    }
    records
}

#[test]
fn bash_understands_every_command() {
    for (name, runbook) in all() {
        for answer in [0, 1] {
            let found = understood(&runbook, answer);
            assert_eq!(found.complaints, "", "{name}");
            assert!(found.words.len() > 40, "{name}: {}", found.words.len());
        }
        for step in all_steps(&pages(&runbook)) {
            for command in step.commands.iter().filter(|c| !matches!(c.place, Place::Elsewhere(_))) {
                let checked = Command::new("bash").args(["-n", "-c", &command.shell]).output().unwrap();
                assert!(checked.status.success() && checked.stderr.is_empty(), "{name}: {}", command.shell);
            }
        }
    }
}

/// Placeholders that are parts of paths of the hosts.
const PLACES: [&str; 8] = ["copies", "@home", "home", "containers", "@rootTW", "my vault", "redis", "vault"];

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        &b" "[..],
        b"'",
        b"\"",
        b"$(reboot)",
        b"`id`",
        b"\n",
        b"*",
        b"?",
        b"[a-z]",
        b"-rf",
        b"--",
        b"\xff",
        b"\xc3",
        b"\\",
        b"!!",
        b";",
        b"&",
        b"|",
        b"~",
        b"{a,b}",
        b"#",
        "é".as_bytes(),
        b"\t",
        b"\x1b[2J",
        b"a",
        b"7",
        b"$HOME",
        b"${x}",
        b"=",
        b"<",
        b">",
        b"(",
        b")",
        b"```",
        b"\r",
        "\u{202e}".as_bytes(),
        b"%s",
        b"@",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 1..6)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a name of a directory", |name| name != b"." && name != b"..")
}

/// Neither a configured name nor the name of a page may change.
fn holds(make: fn() -> Parts, bytes: &[Vec<u8>]) {
    let names: Vec<(&str, Vec<u8>)> = PLACES.into_iter().zip(bytes.iter().cloned()).collect();
    let same: Vec<(&str, Vec<u8>)> =
        PLACES.iter().enumerate().map(|(n, name)| (*name, format!("PLACE{n}E").into_bytes())).collect();
    let back: Vec<(String, Vec<u8>)> =
        bytes.iter().enumerate().map(|(n, bytes)| (format!("PLACE{n}E"), bytes.clone())).collect();
    let back: Vec<(&str, Vec<u8>)> = back.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let (plain, odd) = (with_names(make(), &same).runbook(), with_names(make(), &names).runbook());
    for answer in [0, 1] {
        let wanted = understood(&plain, answer);
        let found = understood(&odd, answer);
        assert_eq!(found.complaints, "");
        let mut expected: Vec<Vec<Vec<u8>>> =
            wanted.words.iter().map(|words| words.iter().map(|word| replaced(word, &back)).collect()).collect();
        expected.sort();
        let shown = |all: &[Vec<Vec<u8>>], other: &[Vec<Vec<u8>>]| {
            let only = all.iter().filter(|words| !other.contains(words));
            only.map(|words| words.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        assert!(
            expected == found.words,
            "meant: {:#?}\nunderstood: {:#?}",
            shown(&expected, &found.words),
            shown(&found.words, &expected)
        );
    }
    // And the page still shows what is to be typed, block by block.
    let files = runbooks(&odd);
    for page in pages(&odd) {
        let file = files.iter().find(|file| file.path == Path::new(&format!("{}.md", page.name))).unwrap();
        let commands: Vec<String> =
            page.parts.iter().flat_map(steps).flat_map(|step| &step.commands).map(|c| c.shell.clone()).collect();
        let shown: Vec<String> = blocks(&file.text).into_iter().map(|(block, _)| block).collect();
        assert_eq!(shown, commands);
        assert!(file.text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{:?}", file.text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_name_changes_what_a_command_means(names in proptest::collection::vec(hostile(), PLACES.len())) {
        for make in [laptop, server, desktop] {
            holds(make, &names);
        }
    }
}

#[test]
fn a_name_that_changes_a_command_would_be_seen() {
    let dir = tempfile::TempDir::with_prefix("subvault-runbook-").unwrap();
    let log = dir.path().join("log");
    let script = format!("{WRITTEN_DOWN}mount /mnt/my disk\nmount '/mnt/my disk'\nssh host 'ls /a\\ b'\n");
    let run = Command::new("/bin/bash").args(["-c", &script]).env_clear().env("LOG", &log).env("ANSWER", "0").status();
    assert!(run.unwrap().success());
    let words = records(&fs::read(&log).unwrap());
    let shown: Vec<String> = words.iter().map(|words| words.join(&b'|').escape_ascii().to_string()).collect();
    assert_eq!(shown, ["mount|/mnt/my|disk", "mount|/mnt/my disk", "ssh|host", "ls|/a b"]);
}
