# What can be said in the tables of the configuration: each key with its type. What a key means is in
# docs/configuration.md, and a test holds that both have the same keys.
#
# Paths are texts and never paths of Nix, which would be copied into the store, where everybody can read them.
{ lib }:
let
  inherit (lib) types;
  inherit (types) bool str;

  positive = types.ints.positive;
  count = types.ints.unsigned;
  texts = types.listOf str;
  path = types.strMatching "/.*";
  uuid = types.strMatching "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";
in
{
  # Short, printable, safe in a path.
  name = types.strMatching "[A-Za-z0-9_+@][A-Za-z0-9_+@.-]{0,63}";

  tables = {
    "[host]" = {
      name = str;
      state = path;
      time_zone = str;
      profile = types.enum [
        "dual-nvme-laptop"
        "single-nvme-laptop"
        "laptop"
        "dual-boot-desktop"
        "desktop"
        "production-vps"
        "staging-vps"
        "utility-vps"
        "vps"
        "impermanent-server"
        "server"
        "proxmox-host"
      ];
      mode = types.enum [
        "balanced"
        "io-optimized"
        "space-optimized"
      ];
    };
    "[schedule]" = {
      snapshot = str;
      send = str;
    };
    "[keep]" = {
      newest = positive;
      within = str;
      hourly = count;
      daily = count;
      weekly = count;
      monthly = count;
      quarterly = count;
      yearly = count;
      tags = texts;
    };
    "[space]" = {
      yellow = str;
      red = str;
      overhead = str;
      keep = "[keep]";
    };
    "[objectives]" = {
      lose_at_most = str;
      back_within = str;
      budget = str;
      download = str;
      upload = str;
    };
    # Of a provider: prices, classes by their names, and what is changed of those. Amounts are texts: `"0.05"`.
    "[cost]" = {
      prices = types.attrsOf (types.attrsOf types.anything);
    };
    "[[subvolume]]" = {
      name = "name";
      inherit path;
      snapshots = path;
      tier = types.enum [
        "critical"
        "important"
        "standard"
        "temporary"
      ];
      workload = types.enum [
        "system"
        "user"
        "dev"
        "database"
        "application"
        "container"
        "virtual-machine"
        "package-store"
        "log"
        "cache"
        "temp"
        "swap"
        "backup"
        "archive"
      ];
      snapshot = str;
      send = str;
      keep = "[keep]";
      nested = types.enum [
        "report"
        "include"
        "ignore"
      ];
      foreign = types.enum [
        "show"
        "ship"
      ];
      hooks = texts;
      targets = texts;
    };
    "[[group]]" = {
      name = "name";
      subvolumes = texts;
      hooks = texts;
      snapshot = str;
    };
    "[[hook]]" = {
      name = "name";
      preset = types.enum [
        "postgresql"
        "mariadb"
        "mysql"
        "redis"
        "podman"
      ];
      before = texts;
      after = texts;
      hold = texts;
      input = str;
      user = str;
      environment = types.attrsOf str;
      timeout = str;
      on_failure = types.enum [
        "skip"
        "continue"
      ];
    };
    "[[target]]" = {
      name = "name";
      directory = path;
      s3 = "[target.s3]";
      btrfs = "[target.btrfs]";
      schedule = str;
      recipients = texts;
      encryption = types.enum [ "off" ];
      compression = types.strMatching "off|zstd(-([1-9]|1[0-9]))?";
      full_every_days = types.either positive (types.enum [ "never" ]);
      keep_generations = positive;
      minimum_storage_days = count;
      chunk_size = str;
      lanes = positive;
      workers = positive;
      bandwidth = str;
      protocol = types.enum [
        "newest"
        "v1"
        "v2"
        "v2-uncompressed"
      ];
      content_digest = bool;
      read_ahead = bool;
      idle_io = bool;
    };
    "[target.s3]" = {
      provider = types.enum [
        "aws"
        "backblaze-b2"
        "wasabi"
        "idrive-e2"
        "hetzner"
        "ceph-rgw"
        "generic"
      ];
      bucket = str;
      region = str;
      prefix = str;
      endpoint = str;
      path_style = bool;
      storage_class = str;
      metadata_storage_class = str;
      server_side_encryption = types.either (types.enum [
        "bucket-default"
        "aes256"
      ]) (types.attrsOf (types.attrsOf str));
      credentials_file = str;
      credentials_command = texts;
      attempts = positive;
      connect_timeout_seconds = positive;
      read_timeout_seconds = positive;
    };
    "[target.btrfs]" = {
      directory = str;
      inherit uuid;
      luks = "[target.btrfs.luks]";
      ssh = "[target.btrfs.ssh]";
      keep = "[keep]";
      pin_days = positive;
      bandwidth = str;
    };
    "[target.btrfs.luks]" = {
      inherit uuid;
      key_file = path;
    };
    "[target.btrfs.ssh]" = {
      host = str;
      port = types.port;
      identity_file = path;
      known_hosts = path;
      options = texts;
      program = texts;
      stall_seconds = positive;
    };
  };
}
