# What the units are made of, out of the settings: the same as `subvault render systemd` finds in the configuration.
{ lib }:
{
  settings,
  program,
  config ? null,
}:
let
  path = import ./path.nix { inherit lib; };
  orElse = usual: value: if value == null then usual else value;

  subvolumes = builtins.attrValues settings.subvolume;
  targets = builtins.attrValues settings.target;
  archives = builtins.filter (target: target.btrfs == null) targets;
  copies = builtins.filter (target: target.btrfs != null) targets;
  buckets = builtins.filter (bucket: bucket != null) (map (target: target.s3) archives);
  places = map (target: target.btrfs) copies;

  state = orElse "/var/lib/subvault" settings.host.state;

  # What is usual depends on tiers where a profile is said (crates/plan/src/strategy): waking as often as any of them wants
  # is enough, since a run only does what is due.
  usual = if settings.host.profile == "production-vps" then "*:00/30" else "hourly";

  # As crates/plan/src/strategy/profile.rs has them.
  isLaptop = builtins.elem settings.host.profile [
    "dual-nvme-laptop"
    "single-nvme-laptop"
    "laptop"
  ];
  isDesktop = builtins.elem settings.host.profile [
    "dual-boot-desktop"
    "desktop"
  ];

  # When a subvolume's snapshots are taken: as it says itself, or its group, or the configuration as a whole.
  snapshotsOf =
    subvolume:
    let
      isMember = group: builtins.elem subvolume.name group.subvolumes && group.snapshot != null;
      ofGroups = map (group: group.snapshot) (
        builtins.filter isMember (builtins.attrValues settings.group)
      );
      said = [ subvolume.snapshot ] ++ ofGroups ++ [ settings.schedule.snapshot ];
    in
    builtins.head (builtins.filter (event: event != null) said ++ [ usual ]);

  sendsTo = target: orElse (orElse "daily" settings.schedule.send) target.schedule;
  sendsOf = builtins.filter (event: event != null) (map (subvolume: subvolume.send) subvolumes);

  # Where snapshots, objects and copies appear. A directory of snapshots may itself have to be made.
  snapshots =
    subvolume: path.parent (orElse "${subvolume.path}/.subvault" subvolume.snapshots);
  directories =
    map (target: target.directory) (builtins.filter (target: target.directory != null) archives)
    ++ map (place: place.directory) (
      builtins.filter (place: place.uuid == null && place.ssh == null) places
    );

  disk =
    target:
    let
      inherit (target) btrfs;
    in
    {
      target = target.name;
      # Inside of a container, the pool is there only after it was opened.
      kind = if btrfs.luks == null then "btrfs" else "crypto_LUKS";
      uuid = lib.toLower (if btrfs.luks == null then btrfs.uuid else btrfs.luks.uuid);
    };

  # A credential without a directory is handed on by the service manager, from beside the configuration.
  plain = builtins.filter (file: file != null && builtins.match ".*/.*" file == null) (
    map (bucket: bucket.credentials_file) buckets
  );
  beside = path.parent (orElse "/etc/subvault/subvault.toml" config);
in
{
  inherit program config;
  state = path.below "/var/lib" state;
  writes = path.sorted (map snapshots subvolumes ++ directories ++ [ state ]);
  wake = builtins.filter (event: event != "never") (
    map snapshotsOf subvolumes ++ sendsOf ++ map sendsTo (archives ++ copies)
  );
  zone = settings.host.time_zone;
  disks = map disk (builtins.filter (target: target.btrfs.uuid != null) copies);
  credentials = map (name: {
    inherit name;
    file = "${beside}/${name}";
  }) (builtins.attrNames (lib.genAttrs plain (name: name)));
  network = buckets != [ ] || builtins.any (place: place.ssh != null) places;
  hooks = settings.hook != { };
  # Somebody sits at it and goes away again.
  idle_io = isLaptop || isDesktop;
  # It is not always on mains and online.
  tries_hourly = isLaptop;
}
