# The module: what it puts where, and what it refuses.
{ lib }:
let
  system = import ./system.nix { inherit lib; };

  settings = said: {
    services.subvault = {
      enable = true;
      settings = said;
    };
  };

  failedOf = said: (system [ (settings said) ]).failed;

  home.path = "/home";
  disk = {
    directory = "/mnt/vault";
    encryption = "off";
  };
in
{
  testSwitchedOffItDoesNothing = {
    expr = removeAttrs (system [ { services.subvault.settings.host.name = "x"; } ]) [
      "boot"
      "disko"
      "fileSystems"
    ];
    expected = {
      configuration = null;
      failed = [ ];
      hostName = null;
      packages = [ ];
      paths = { };
      rules = [ ];
      services = { };
      slices = { };
      timers = { };
      tmpfiles = [ ];
      warnings = [ ];
    };
  };

  testTheConfigurationIsWritten = {
    expr =
      builtins.fromTOML
        (system [
          (settings {
            host.name = "laptop";
            subvolume = { inherit home; };
            target = { inherit disk; };
          })
        ]).configuration;
    expected = {
      host.name = "laptop";
      subvolume = [ ({ name = "home"; } // home) ];
      target = [ ({ name = "disk"; } // disk) ];
    };
  };

  testADiskThatIsPluggedInStartsItsCopies = {
    expr =
      let
        found = system [
          (settings {
            target.usb.btrfs = {
              directory = "copies";
              uuid = "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001";
            };
          })
        ];
      in
      {
        inherit (found) rules failed;
        units = builtins.attrNames found.services;
        start = found.services."subvault-replicate@".serviceConfig.ExecStart;
      };
    expected = {
      failed = [ ];
      rules = [
        {
          path = "lib/udev/rules.d/90-subvault.rules";
          text = ''
            ACTION!="remove", SUBSYSTEM=="block", ENV{ID_FS_TYPE}=="btrfs", ENV{ID_FS_UUID}=="5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001", TAG+="systemd", ENV{SYSTEMD_WANTS}+="subvault-replicate@usb.service"
          '';
        }
      ];
      units = [
        "subvault"
        "subvault-replicate@"
      ];
      start = "/nix/store/00000000000000000000000000000000-subvault/bin/subvault replicate --wait --target %i";
    };
  };

  testProgramsOfHooksAreFound = {
    expr =
      (system [
        (settings { subvolume = { inherit home; }; })
        (
          { pkgs, ... }:
          {
            services.subvault.path = [ pkgs.btrfs-progs ];
          }
        )
      ]).paths;
    expected.subvault = [
      "util-linux"
      "cryptsetup"
      "openssh"
      "btrfs-progs"
    ];
  };

  testAttributesAreSetAtStart = {
    expr =
      let
        found = system [
          (settings { subvolume = { inherit home; }; })
          {
            services.subvault.attributes = {
              "/srv/db".noCow = true;
              "/nix".compression = "zstd:1";
            };
          }
        ];
      in
      {
        inherit (found) tmpfiles;
        inherit (found.services.subvault-attributes) wantedBy unitConfig serviceConfig;
      };
    expected = {
      tmpfiles = [ "h /srv/db - - - - +C" ];
      wantedBy = [ "multi-user.target" ];
      unitConfig.RequiresMountsFor = [ "/nix" ];
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = [
          "/nix/store/00000000000000000000000000000000-btrfs-progs/bin/btrfs property set /nix compression zstd"
        ];
      };
    };
  };

  testWhatIsNamedMustBeThere = {
    expr = failedOf {
      subvolume.home = home // {
        hooks = [ "db" ];
        targets = [
          "disk"
          "dsik"
        ];
      };
      group.g.subvolumes = [
        "home"
        "hoem"
      ];
      target = { inherit disk; };
    };
    expected = [
      "services.subvault: the subvolume `home` names the hook `db`, which is not there"
      "services.subvault: the subvolume `home` names the target `dsik`, which is not there"
      "services.subvault: the group `g` names the subvolume `hoem`, which is not there"
    ];
  };

  testATargetIsInOnePlaceAndEncryptedOrSaidNotToBe = {
    expr = failedOf {
      subvolume = { inherit home; };
      target.nowhere.encryption = "off";
      target.open.directory = "/mnt/a";
      target.both = disk // {
        recipients = [ "age1x" ];
      };
      target.copies.btrfs.directory = "/copies";
      target.good = disk;
    };
    expected = [
      "services.subvault: the target `nowhere` needs one of `directory`, `s3` and `btrfs`"
      "services.subvault: the target `both` needs either `recipients` or `encryption = \"off\"`"
      "services.subvault: the target `open` needs either `recipients` or `encryption = \"off\"`"
    ];
  };

  testSecretsAreNotInTheStore = {
    expr = failedOf {
      subvolume = { inherit home; };
      target.far.btrfs = {
        directory = "/copies";
        ssh = {
          host = "a@b";
          identity_file = "${builtins.storeDir}/00000000000000000000000000000000-key";
        };
      };
    };
    expected = [
      "services.subvault: ${builtins.storeDir}/00000000000000000000000000000000-key is in the store, where everybody can read it: keep secrets outside of it"
    ];
  };

  testSomethingMustBeDue = {
    expr = failedOf { };
    expected = [
      "services.subvault: nothing is ever due: no calendar event and no disk is in the settings"
    ];
  };

  testAUnitMustHaveAFitName = {
    expr = failedOf {
      target."a+b".btrfs = {
        directory = "copies";
        uuid = "5f0c5d63-7a7e-4f4b-9d0e-0c1a58a2f001";
      };
    };
    expected = [
      "services.subvault: the target `a+b` cannot be started by a unit, whose name must not hold `+`"
    ];
  };

  testAttributesThatExcludeEachOtherAreRefused = {
    expr =
      (system [
        (settings { subvolume = { inherit home; }; })
        {
          services.subvault.attributes."/srv" = {
            noCow = true;
            compression = "zstd";
          };
        }
      ]).failed;
    expected = [
      "services.subvault: /srv cannot be both without copy-on-write and compressed"
    ];
  };

  testTheKeyOfTheExamplesIsNotTakenForOnesOwn = {
    expr =
      let
        warnings =
          key:
          builtins.length
            (system [
              (settings {
                target.t = {
                  directory = "/mnt";
                  recipients = [ key ];
                };
              })
            ]).warnings;
      in
      map warnings [
        (builtins.head (import ../hosts/site.nix).recipients)
        "age1x"
      ];
    expected = [
      1
      0
    ];
  };
}
