//! Telephones: files that Termux sent with restic, what SeedVault saved, and images of TWRP.

use std::path::Path;

use super::host::Host;
use super::page::{Page, Part, Place, Step};
use super::windows::{NO_REPOSITORY, NOT_LINUX, has_other_devices, on_repository, repository_words, say_repository};
use super::words::{Words, words};

const PHONE: Place = Place::Elsewhere("On the telephone, in Termux");
const CABLE: &str = "it needs a telephone on a cable";
/// Where SeedVault sends to on this host by convention, and where images of TWRP are put.
const SEEDVAULT: &str = "/seedvault";
const TWRP: &str = "/TWRP";

/// The page.
pub(super) fn page(host: &Host<'_>) -> Option<Page> {
    has_other_devices(host).then(|| Page {
        name: "android".to_owned(),
        title: "A telephone with Android".into(),
        when: "A telephone is lost or was reset, or files of it are wanted back.".into(),
        at_hand: vec![
            "The name under which the telephone was saved.".into(),
            repository_words(host),
            "For SeedVault the twelve words that it showed when it was set up. Without them nothing can be read, by nobody.".into(),
        ],
        parts: vec![termux(), on_linux(host), seedvault(host), twrp()],
    })
}

fn termux() -> Part {
    Part::new("Files, on the telephone itself: Termux and restic").steps([
        Step::new("Install Termux (from F-Droid), open it, and give it access to files.")
            .skip(PHONE, "termux-setup-storage\npkg install restic", NOT_LINUX),
        Step::new("Say which repository is meant, and its access key.").skip(
            PHONE,
            "export RESTIC_REPOSITORY=s3:https://s3.REGION.PROVIDER/BUCKET\nexport AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…",
            NO_REPOSITORY,
        ),
        Step::new("Look what there is, and bring it back to a directory of its own.")
            .skip(PHONE, "restic snapshots --host PHONE\nrestic restore latest --host PHONE --target ~/storage/shared/Restored", NOT_LINUX)
            .see("`restoring` and where to, and the files in the directory Restored."),
    ])
}

fn on_linux(host: &Host<'_>) -> Part {
    let list = on_repository(host, Step::new("Look which telephones there are."), "restic snapshots")
        .see("a line for each, with the telephone's name.");
    let restore = on_repository(
        host,
        Step::new("Bring the newest back: put the name of the telephone in the place of the one that stands here."),
        "PHONE=PHONE-PIXEL8\nrestic restore latest --host \"$PHONE\" --target /root/telephone",
    )
    .see("`restoring` and where to.");
    let check = on_repository(host, Step::new("It is there."), "ls -la /root/telephone");
    let push = Step::new("Bring it to a telephone on a cable, with USB debugging switched on there.").skip(
        Place::OtherMachine,
        "adb push /root/telephone/sdcard/. /sdcard/",
        CABLE,
    );
    Part::new("Files, on any Linux").steps([say_repository(host), list, restore, push]).check([check])
}

fn seedvault(host: &Host<'_>) -> Part {
    let saved = match host.in_pool(Path::new(SEEDVAULT)) {
        Some(place) => words!(
            "What SeedVault sent lies in a directory of this host, by convention {} on the pool {}. Where it is gone, bring it back first:",
            SEEDVAULT,
            place.pool
        ),
        None => words!(
            "What SeedVault sent lies in a directory of this host, by convention {}. Where it is gone, bring it back first:",
            SEEDVAULT
        ),
    };
    Part::new("Apps and settings: SeedVault").steps([
        Step::new(saved.and(Words::page("directory", "A directory"))),
        Step::new("On a telephone that was just reset, SeedVault is offered by its first set-up. On one that is set up, type this number like a telephone number.")
            .skip(Place::Elsewhere("On the telephone, as a number to call"), "*#*#7378673#*#*", NOT_LINUX),
        Step::new("Choose the place that it was sent to (the network drive, or the USB stick with its copy), and type the twelve words.")
            .see("the telephones that were saved, with their moments."),
        Step::new("Choose, wait, and log in to the apps that ask for it: what they themselves keep out of backups is not there."),
    ])
}

fn twrp() -> Part {
    Part::new("All of it, on a rooted telephone: an image of TWRP").steps([
        Step::new(
            words!(
                "The images lie in a directory of this host, by convention {}. Where it is gone, bring it back first:",
                TWRP
            )
            .and(Words::page("directory", "A directory")),
        ),
        Step::new(
            "Start the telephone into TWRP, and copy the image to it. It only fits the model that it was made on.",
        )
        .skip(Place::OtherMachine, "adb reboot recovery\nadb push /TWRP/. /sdcard/TWRP/BACKUPS/", CABLE),
        Step::new("In TWRP: Restore, choose the image, leave everything ticked that it has, swipe, reboot.")
            .see("`Restore Complete`."),
    ])
}
