# What the program would refuse, told while the system is built: as NixOS takes assertions.
{ lib }:
{
  settings,
  wanted,
  attributes,
}:
let
  targets = builtins.attrValues settings.target;
  archives = builtins.filter (target: target.btrfs == null) targets;

  check = assertion: message: { inherit assertion message; };

  # That everything which is named is there.
  known =
    what: there: whose: names:
    map (
      name:
      check (builtins.any (table: table.name == name) (
        builtins.attrValues there
      )) "services.subvault: ${whose} names the ${what} `${name}`, which is not there"
    ) (if names == null then [ ] else names);

  places =
    target:
    builtins.length (
      builtins.filter (place: place != null) [
        target.directory
        target.s3
        target.btrfs
      ]
    );

  # Files with secrets.
  secrets =
    builtins.concatMap (
      target:
      lib.optional (target.s3 != null) target.s3.credentials_file
      ++ lib.optionals (target.btrfs != null) (
        lib.optional (target.btrfs.luks != null) target.btrfs.luks.key_file
        ++ lib.optional (target.btrfs.ssh != null) target.btrfs.ssh.identity_file
      )
    ) targets;
in
builtins.concatMap (
  subvolume:
  known "hook" settings.hook "the subvolume `${subvolume.name}`" subvolume.hooks
  ++ known "target" settings.target "the subvolume `${subvolume.name}`" subvolume.targets
) (builtins.attrValues settings.subvolume)
++ builtins.concatMap (
  group:
  known "hook" settings.hook "the group `${group.name}`" group.hooks
  ++ known "subvolume" settings.subvolume "the group `${group.name}`" group.subvolumes
) (builtins.attrValues settings.group)
++ map (
  target:
  check (
    places target == 1
  ) "services.subvault: the target `${target.name}` needs one of `directory`, `s3` and `btrfs`"
) targets
++ map (
  target:
  let
    recipients = if target.recipients == null then [ ] else target.recipients;
  in
  check ((target.encryption == "off") == (recipients == [ ]))
    "services.subvault: the target `${target.name}` needs either `recipients` or `encryption = \"off\"`"
) archives
++ map (
  file:
  check (
    !(lib.hasPrefix builtins.storeDir file)
  ) "services.subvault: ${file} is in the store, where everybody can read it: keep secrets outside of it"
) (builtins.filter (file: file != null) secrets)
++ map (
  disk:
  check (
    builtins.match ".*\\+.*" disk.target == null
  ) "services.subvault: the target `${disk.target}` cannot be started by a unit, whose name must not hold `+`"
) wanted.disks
++ [
  (check (
    wanted.wake != [ ] || wanted.disks != [ ]
  ) "services.subvault: nothing is ever due: no calendar event and no disk is in the settings")
]
++ map (
  path:
  check (
    !(attributes.${path}.noCow && attributes.${path}.compression != null)
  ) "services.subvault: ${path} cannot be both without copy-on-write and compressed"
) (builtins.attrNames attributes)
