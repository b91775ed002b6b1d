//! Windows: an image of Veeam, from the disk that it was written to or out of the restic repository.

use subvault_plan::strategy::profile::Profile;

use super::host::Host;
use super::page::{Page, Part, Place, Step};
use super::quote;
use super::words::{Words, words};

const WINDOWS: Place = Place::Elsewhere("On the Windows machine");
pub(super) const NOT_LINUX: &str = "it is not for Linux";
const NTFS: &str = "the kernels of the tests have no NTFS";
pub(super) const NO_REPOSITORY: &str = "it needs the restic repository";
/// The label of the disk's part that images are written to.
const LABEL: &str = "WINBKUP";

/// The page.
pub(super) fn page(host: &Host<'_>) -> Option<Page> {
    has_other_devices(host).then(|| Page {
        name: "windows".to_owned(),
        title: "Windows, from its image".into(),
        when: "Windows does not start, its disk died, or files of it are wanted back.".into(),
        at_hand: vec![
            words!("The USB disk, with the part {} (NTFS) on which Veeam Agent writes its images (`.vbk`, and `.vib` for what changed since).", LABEL),
            "A stick with the Veeam Recovery Media, made on a Windows of the same kind: Veeam Agent, Create Recovery Media.".into(),
            "The password of the image, if it has one; the recovery key of BitLocker, if its disk is encrypted.".into(),
            repository_words(host),
        ],
        parts: vec![whole(), files(), from_repository(host)],
    })
}

/// Whether Windows and telephones are looked after beside the host.
pub(super) fn has_other_devices(host: &Host<'_>) -> bool {
    host.runbook.restic.is_some() || host.runbook.strategy.profile.value == Profile::DualBootDesktop
}

/// The repository, as something to have at hand.
pub(super) fn repository_words(host: &Host<'_>) -> Words {
    match &host.runbook.restic {
        Some(restic) => {
            let file = quote::shown(&restic.password_file);
            words!(
                "Where the USB disk is lost: the restic repository {}, and its password, {}.",
                restic.repository,
                file
            )
        }
        None => {
            "Where the USB disk is lost: the address of the restic repository, its access key and its password.".into()
        }
    }
}

/// Says which repository is meant.
pub(super) fn say_repository(host: &Host<'_>) -> Step {
    let step = Step::new(
        "Say which repository is meant. Its access key goes into `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` where it is in a bucket.",
    );
    match &host.runbook.restic {
        Some(restic) => {
            let (repository, file) = (quote::text(&restic.repository), quote::path(&restic.password_file));
            step.run(Place::OtherMachine, format!("export RESTIC_REPOSITORY={repository} RESTIC_PASSWORD_FILE={file}"))
        }
        None => step.skip(
            Place::OtherMachine,
            "export RESTIC_REPOSITORY=s3:https://s3.REGION.PROVIDER/BUCKET RESTIC_PASSWORD_FILE=/root/restic.password",
            NO_REPOSITORY,
        ),
    }
}

/// A step on the repository, which is tried where there is one.
pub(super) fn on_repository(host: &Host<'_>, step: Step, command: &str) -> Step {
    match host.runbook.restic {
        Some(_) => step.run(Place::OtherMachine, command),
        None => step.skip(Place::OtherMachine, command, NO_REPOSITORY),
    }
}

fn whole() -> Part {
    Part::new("All of it, from the USB disk").steps([
        Step::new("Plug in the USB disk and the recovery stick, and start from the stick (the key for the boot menu is told by the firmware)."),
        Step::new("Choose Bare Metal Recovery, Local storage, and on the part WINBKUP the newest `.vbk` or `.vib` of this machine.").see("the moments that can be restored."),
        Step::new("Choose Entire computer. Look at the mapping: only the disk of Windows may be overwritten. Disks with Linux on them are left out, and their partitions unticked.").see("the disks and partitions that will be written."),
        Step::new("Begin, wait, take the stick out, and restart."),
        Step::new("Where the boot menu has lost Windows or Linux: in the recovery stick's command line, for the disk of Windows.")
            .skip(WINDOWS, "bcdboot C:\\Windows /f UEFI", NOT_LINUX)
            .see("`Boot files successfully created.`"),
        Step::new("Where Linux does not start any more, its boot entry is put first again, from Linux on a rescue stick.")
            .skip(Place::Rescue, "efibootmgr", "it changes the firmware of the machine")
            .see("the entries and their order; `efibootmgr -o` sets it."),
    ])
    .check([Step::new("Windows starts. Its disks are healthy.").skip(WINDOWS, "chkdsk C: /scan", NOT_LINUX).see("that no problems were found.")])
}

fn files() -> Part {
    Part::new("Single files, on a Windows that runs").steps([
        Step::new("Open Veeam Agent, Restore, File level, and choose the image on WINBKUP. Copy what is wanted out of the window that opens."),
        Step::new("Without Veeam Agent: install it (it is free), and open the `.vbk` by a double click."),
    ])
}

fn from_repository(host: &Host<'_>) -> Part {
    let list = on_repository(host, Step::new("Look which images there are."), "restic snapshots")
        .see("a line for each, with the name of the Windows machine and the path of its image.");
    let mount = Step::new("Mount a disk with room for the image, in NTFS or exFAT, so that the recovery stick can read it: such as WINBKUP itself.")
        .skip(Place::OtherMachine, format!("mkdir -p /mnt/images\nmount -t ntfs3 /dev/disk/by-label/{LABEL} /mnt/images"), NTFS);
    let restore = on_repository(
        host,
        Step::new("Fetch the newest image of the machine: put its name and no other in the place of the one that stands here."),
        "COMPUTER=WIN-DESKTOP\nmkdir -p /mnt/images/from-restic\nrestic restore latest --host \"$COMPUTER\" --target /mnt/images/from-restic",
    )
    .see("`restoring` and where to. It is as large as the disk of Windows was full: this takes hours.");
    let check = on_repository(host, Step::new("It is there."), "find /mnt/images/from-restic -name '*.v[bi][bk]*' -ls")
        .see("the image, with its size.");
    let leave = Step::new("Let go of the disk, and go on as with the USB disk.").skip(
        Place::OtherMachine,
        "umount /mnt/images",
        NTFS,
    );
    Part::new("The USB disk is lost: the image out of the restic repository, on any Linux")
        .steps([say_repository(host), list, mount, restore])
        .check([check])
        .back([leave])
}
