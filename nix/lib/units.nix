# The units and the rules of udev: the same as `subvault render systemd` writes (crates/render/src/systemd.rs), which a test
# compares key by key. A setting that is a list stands on as many lines.
{ lib }:
wanted:
let
  words = import ./words.nix { inherit lib; };
  calendar = import ./calendar.nix { inherit lib; };
  path = import ./path.nix { inherit lib; };

  command =
    verb:
    builtins.concatStringsSep " " (
      [ (words.argument wanted.program) ]
      ++ lib.optionals (wanted.config != null) [
        "--config"
        (words.argument wanted.config)
      ]
      ++ [ verb ]
    );

  # A first full can take days.
  life = {
    TimeoutStartSec = "infinity";
    Slice = "subvault.slice";
    Nice = 10;
    UMask = "0077";
  }
  // (
    if wanted.idle_io then
      { IOSchedulingClass = "idle"; }
    else
      # Not idle: on a disk that always has something to do the copy would never end.
      {
        IOSchedulingClass = "best-effort";
        IOSchedulingPriority = 7;
      }
  );

  opensLuks = builtins.any (disk: disk.kind == "crypto_LUKS") wanted.disks;

  locked = {
    ProtectSystem = "full";
    ProtectKernelTunables = true;
    ProtectKernelModules = true;
    ProtectKernelLogs = true;
    ProtectControlGroups = true;
    ProtectHostname = true;
    RestrictRealtime = true;
    LockPersonality = true;
    KeyringMode = "private";
  };

  # What hooks are, nobody knows, so they are not locked in any further.
  lockedWithoutHooks = {
    NoNewPrivileges = true;
    CapabilityBoundingSet = builtins.concatStringsSep " " [
      "CAP_SYS_ADMIN"
      "CAP_DAC_OVERRIDE"
      "CAP_DAC_READ_SEARCH"
      "CAP_CHOWN"
      "CAP_FOWNER"
      "CAP_FSETID"
      "CAP_MKNOD"
      "CAP_SETFCAP"
      "CAP_LINUX_IMMUTABLE"
      "CAP_IPC_LOCK"
    ];
    RestrictNamespaces = true;
    MemoryDenyWriteExecute = true;
    SystemCallArchitectures = "native";
    SystemCallFilter = "@system-service @mount";
    SystemCallErrorNumber = "EPERM";
    # cryptsetup computes in the kernel.
    RestrictAddressFamilies = builtins.concatStringsSep " " (
      [
        "AF_UNIX"
        "AF_NETLINK"
      ]
      ++ lib.optional opensLuks "AF_ALG"
      ++ lib.optionals wanted.network [
        "AF_INET"
        "AF_INET6"
      ]
    );
  }
  // lib.optionalAttrs (!wanted.network) { IPAddressDeny = "any"; };

  # What `ProtectSystem=full` closes.
  closed = [
    "/usr"
    "/boot"
    "/efi"
    "/etc"
  ];
  opened = builtins.filter (
    written: builtins.any (directory: path.isBelow directory written) closed
  ) wanted.writes;

  service = description: manual: start: {
    Unit = {
      Description = description;
      Documentation = [ "man:${manual}(1)" ];
      # Snapshots carry the time.
      After = [ "time-sync.target" ] ++ lib.optional wanted.network "network-online.target";
    }
    // lib.optionalAttrs wanted.network { Wants = [ "network-online.target" ]; };
    Service = {
      Type = "oneshot";
    }
    // start
    // life
    // lib.optionalAttrs (wanted.state != null) {
      StateDirectory = wanted.state;
      StateDirectoryMode = "0700";
    }
    // lib.optionalAttrs (wanted.credentials != [ ]) {
      LoadCredential = map (
        credential: "${credential.name}:${words.setting credential.file}"
      ) wanted.credentials;
    }
    // locked
    // lib.optionalAttrs (opened != [ ]) { ReadWritePaths = map words.optional opened; }
    // lib.optionalAttrs (!wanted.hooks) lockedWithoutHooks;
  };

  timed = {
    "subvault.service" =
      service "Snapshots, copies and archives that are due" "subvault-run"
        {
          ExecStart = command "run";
          # Another run is at work (4): it does what is due.
          SuccessExitStatus = 4;
        };
    "subvault.timer" = {
      Unit = {
        Description = "Times at which something may be due for subvault";
        Documentation = [ "man:subvault-run(1)" ];
      };
      Timer = {
        OnCalendar = lib.unique (
          map (calendar.inZone wanted.zone) (
            # What could not be sent for want of mains or a network is tried again.
            wanted.wake ++ lib.optional wanted.tries_hourly "hourly"
          )
        );
        # What was missed while the machine was off or asleep is done once, soon after it is back.
        Persistent = true;
        AccuracySec = "1s";
        # Hosts that share a store do not all come in the same second.
        RandomizedDelaySec = "15s";
        FixedRandomDelay = true;
      };
      Install.WantedBy = [ "timers.target" ];
    };
  };

  plugged = {
    # The name is taken as it is: `%I` would turn its dashes into slashes.
    "subvault-replicate@.service" =
      service "Copy of snapshots to the disk of the target %i" "subvault-replicate"
        { ExecStart = command "replicate --wait --target %i"; };
  };

  # What all of them get together: others have a weight of 100 each.
  slice = {
    "subvault.slice" = {
      Unit = {
        Description = "What subvault does in the background";
        Documentation = [ "man:subvault-run(1)" ];
      };
      Slice = {
        CPUWeight = 20;
        IOWeight = 20;
      }
      # What hooks need of memory nobody knows, and to open a LUKS container may take a GiB.
      // lib.optionalAttrs (!wanted.hooks && !opensLuks) { MemoryHigh = "1G"; };
    };
  };

  # Disks are known by the uuid of what is on them, never by the name that the kernel gave them.
  rule = disk: ''
    ACTION!="remove", SUBSYSTEM=="block", ENV{ID_FS_TYPE}=="${disk.kind}", ENV{ID_FS_UUID}=="${disk.uuid}", TAG+="systemd", ENV{SYSTEMD_WANTS}+="subvault-replicate@${disk.target}.service"
  '';
in
{
  units =
    lib.optionalAttrs (wanted.wake != [ ]) timed
    // lib.optionalAttrs (wanted.disks != [ ]) plugged
    // lib.optionalAttrs (wanted.wake != [ ] || wanted.disks != [ ]) slice;

  # Empty where no disk is waited for.
  rules = lib.concatMapStringsSep "" rule wanted.disks;
}
