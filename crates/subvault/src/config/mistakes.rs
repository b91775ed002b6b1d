//! Mistakes that people make in configurations, and what they are told: the place, the line with a caret, a sentence, and what to
//! write instead. The golden file is `mistakes.golden`; `UPDATE_GOLDEN=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use super::{parse, resolve};

const KEY: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const HOME: &str = "[[subvolume]]\nname = \"home\"\npath = \"/home\"\n";

/// Each with a title; `KEY` stands for a public key, and `HOME` for the table of a subvolume.
const MISTAKES: &[(&str, &str)] = &[
    ("a key that is misspelt", "[host]\nprofil = \"laptop\"\n"),
    ("a table that is misspelt", "[hosts]\nname = \"x\"\n"),
    ("a key in the wrong table", "[host]\npath = \"/home\"\n"),
    ("no TOML", "[host\nname = \"x\"\n"),
    ("a text without quotes", "[host]\nname = laptop\n"),
    ("a key twice", "[host]\nname = \"a\"\nname = \"b\"\n"),
    ("a number where a text is meant", "[host]\nname = 7\n"),
    ("a name with a space", "[host]\nname = \"my laptop\"\n"),
    ("a profile that there is not", "[host]\nprofile = \"notebook\"\n"),
    ("a mode that there is not", "[host]\nmode = \"fast\"\n"),
    ("a time zone that there is not", "[host]\ntime_zone = \"Europe/Berlln\"\n"),
    ("a word that is no time", "[schedule]\nsnapshot = \"sometimes\"\n"),
    ("a time that never comes", "[schedule]\nsnapshot = \"*-02-30 03:00\"\n"),
    ("an hour that there is not", "[schedule]\nsend = \"25:00\"\n"),
    ("a budget in another currency", "[objectives]\nbudget = \"8 EUR/month\"\n"),
    ("an objective that is no length of time", "[objectives]\nlose_at_most = \"rarely\"\n"),
    ("an objective of another name", "[objectives]\nrpo = \"1h\"\n"),
    ("prices of a provider that there is not", "[cost.prices.azure]\negress = 1\n"),
    ("prices of a class that there is not", "[cost.prices.aws.classes.COLD]\nstorage = 1\n"),
    ("a share above the whole", "[space]\nyellow = \"150 %\"\n"),
    ("lines in the wrong order", "[space]\nyellow = \"5 %\"\nred = \"10 %\"\n"),
    (
        "a size in no unit",
        "HOME[[target]]\nname = \"t\"\ndirectory = \"/x\"\nrecipients = [\"KEY\"]\nchunk_size = \"200 Gigs\"\n",
    ),
    (
        "a size that is too small",
        "[[target]]\nname = \"t\"\ndirectory = \"/x\"\nrecipients = [\"KEY\"]\nchunk_size = \"1 KiB\"\n",
    ),
    (
        "a rate in bytes of no unit",
        "[[target]]\nname = \"t\"\ndirectory = \"/x\"\nrecipients = [\"KEY\"]\nbandwidth = \"10 Mbps!\"\n",
    ),
    ("retention of nothing", "[keep]\nnewest = 0\n"),
    ("retention below zero", "[keep]\ndaily = -1\n"),
    ("a length of time that is none", "[keep]\nwithin = \"a while\"\n"),
    ("a subvolume without a path", "[[subvolume]]\nname = \"home\"\n"),
    ("a path that does not begin with a slash", "[[subvolume]]\nname = \"home\"\npath = \"home\"\n"),
    ("two subvolumes of one name", "HOMEHOME"),
    ("two subvolumes at one path", "HOME[[subvolume]]\nname = \"people\"\npath = \"/home\"\n"),
    ("a tier that there is not", "HOMEtier = \"urgent\"\n"),
    ("a workload that there is not", "HOMEworkload = \"databases\"\n"),
    (
        "a target that there is not",
        "HOMEtargets = [\"usb\"]\n[[target]]\nname = \"usb-disk\"\ndirectory = \"/x\"\nencryption = \"off\"\n",
    ),
    ("a hook that there is not", "HOMEhooks = [\"pg\"]\n"),
    ("a group of nobody", "HOME[[group]]\nname = \"g\"\nsubvolumes = [\"hom\"]\n"),
    ("a hook that runs nothing", "[[hook]]\nname = \"h\"\n"),
    ("a preset that there is not", "[[hook]]\nname = \"h\"\npreset = \"postgres\"\n"),
    ("a target that is nowhere", "[[target]]\nname = \"t\"\nencryption = \"off\"\n"),
    (
        "a target in two places",
        "[[target]]\nname = \"t\"\nencryption = \"off\"\ndirectory = \"/x\"\n[target.s3]\nprovider = \"aws\"\nbucket = \"b\"\nregion = \"r\"\n",
    ),
    ("a target that nobody could read", "[[target]]\nname = \"t\"\ndirectory = \"/x\"\n"),
    (
        "encrypted and not",
        "[[target]]\nname = \"t\"\ndirectory = \"/x\"\nencryption = \"off\"\nrecipients = [\"KEY\"]\n",
    ),
    (
        "a private key instead of a public one",
        "[[target]]\nname = \"t\"\ndirectory = \"/x\"\nrecipients = [\"AGE-SECRET-KEY-1\"]\n",
    ),
    (
        "a provider that there is not",
        "[[target]]\nname = \"t\"\nrecipients = [\"KEY\"]\n[target.s3]\nprovider = \"b2\"\nbucket = \"b\"\nregion = \"r\"\n",
    ),
    (
        "a bucket with credentials twice",
        "[[target]]\nname = \"t\"\nrecipients = [\"KEY\"]\n[target.s3]\nprovider = \"aws\"\nbucket = \"b\"\nregion = \"r\"\ncredentials_file = \"/x\"\ncredentials_command = [\"pass\"]\n",
    ),
    (
        "two targets in one place",
        "[[target]]\nname = \"a\"\ndirectory = \"/x\"\nencryption = \"off\"\n[[target]]\nname = \"b\"\ndirectory = \"/x\"\nencryption = \"off\"\n",
    ),
    (
        "a pool that is no uuid",
        "[[target]]\nname = \"usb\"\n[target.btrfs]\nuuid = \"LINBKUP\"\ndirectory = \"copies\"\n",
    ),
    (
        "a compression that there is not",
        "[[target]]\nname = \"t\"\ndirectory = \"/x\"\nrecipients = [\"KEY\"]\ncompression = \"gzip\"\n",
    ),
    (
        "fulls every zero days",
        "[[target]]\nname = \"t\"\ndirectory = \"/x\"\nrecipients = [\"KEY\"]\nfull_every_days = 0\n",
    ),
];

/// What somebody is told who makes this mistake.
fn told(text: &str) -> String {
    let text = text.replace("HOME", HOME).replace("KEY\"", &format!("{KEY}\""));
    let found = parse("subvault.toml".to_owned(), text).and_then(|document| resolve(&document).map(drop));
    let error = found.expect_err("it is taken as it is");
    format!("{error}\nhint: {}\n", error.hint().unwrap_or("none"))
}

#[test]
fn mistakes_are_told_where_they_are_and_what_to_write() {
    let mut all = String::new();
    for (title, text) in MISTAKES {
        let told = std::panic::catch_unwind(|| told(text)).unwrap_or_else(|_| "NOT FOUND\n".to_owned());
        let _ = write!(all, "# {title}\n{told}\n");
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/mistakes.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &all).unwrap();
    }
    assert_eq!(all, std::fs::read_to_string(&golden).unwrap());
    for case in all.split("# ").filter(|case| !case.is_empty()) {
        assert!(case.contains("subvault.toml:"), "no place: {case}");
        assert!(case.contains('^'), "no caret: {case}");
        // Those without say themselves what to write.
        let says = ["write for example", "say \"", "say a ", "there are ", "use 1 to 64", "looks like", "has from"];
        assert!(!case.contains("hint: none") || says.iter().any(|words| case.contains(words)), "no hint: {case}");
    }
}
