# `services.subvault`: the configuration as options, and what starts the program when something is due.
#
# What there is to compute is in lib/, in functions that know nothing of NixOS; here it is only put in its places.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.subvault;

  wanted = import ./lib/wanted.nix { inherit lib; } {
    inherit (cfg) settings;
    program = "${cfg.package}/bin/subvault";
  };
  rendered = import ./lib/units.nix { inherit lib; } wanted;
  units = import ./lib/nixos-units.nix { inherit lib; } rendered.units;
  attributes = import ./lib/attributes.nix { inherit lib; };
  compressed = attributes.compressed cfg.attributes;
  document = import ./lib/document.nix { inherit lib; } cfg.settings;

  # Programs that a run starts by their names: for hooks as another user, disks with LUKS, and other machines.
  started = [
    pkgs.util-linux
    pkgs.cryptsetup
    pkgs.openssh
  ];

  # Who copies an example must not encrypt to somebody else's key.
  exampleKey = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
  hasExampleKey =
    target: target.recipients != null && builtins.elem exampleKey target.recipients;

  attribute = types.submodule {
    options = {
      noCow = mkOption {
        type = types.bool;
        default = false;
        description = ''
          Whether new files are overwritten in place (`chattr +C`). They have neither checksums nor compression then, and
          after each snapshot every part that is overwritten is copied once all the same.
        '';
      };
      compression = mkOption {
        type = types.nullOr (types.strMatching "none|lzo|(zlib|zstd)(:[0-9]+)?");
        default = null;
        description = ''
          How new files are compressed whatever the mount says (`btrfs property set … compression`). The kernel takes the
          algorithm from here and the level from the mount options of the pool.
        '';
      };
      owner = mkOption {
        type = types.nullOr types.str;
        default = null;
        description = "Whose directory it is, where it is below somebody's home: mode 0700, group `users`.";
      };
    };
  };
in
{
  options.services.subvault = {
    enable = lib.mkEnableOption "subvault, snapshots and backups of Btrfs";

    package = mkOption {
      type = types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The program.";
    };

    settings = mkOption {
      type = types.submodule { options = import ./lib/options.nix { inherit lib; }; };
      default = { };
      description = ''
        The configuration, written to `/etc/subvault/subvault.toml`, key by key. It is in the store, where everybody can
        read it: secrets are in files of their own, and only their paths are said here.
      '';
    };

    path = mkOption {
      type = types.listOf types.package;
      default = [ ];
      example = lib.literalExpression "[ config.services.postgresql.package ]";
      description = "What hooks and credential commands start: packages for the `PATH` of the services.";
    };

    attributes = mkOption {
      type = types.attrsOf attribute;
      default = { };
      description = ''
        What is wanted of single subvolumes, by the path that they are mounted at. The layouts for disko say it for theirs.
        It holds for files that are made afterwards.
      '';
    };
  };

  config = mkIf cfg.enable {
    assertions = import ./lib/checks.nix { inherit lib; } {
      inherit (cfg) settings attributes;
      inherit wanted;
    };

    warnings = lib.optional (builtins.any hasExampleKey (builtins.attrValues cfg.settings.target)) ''
      services.subvault: a target is encrypted to the key of the examples, whose other half you do not have. Make one of
      your own with `age-keygen` and name its public key in `recipients`.
    '';

    environment.systemPackages = [ cfg.package ];

    environment.etc."subvault/subvault.toml".text =
      "# Made by NixOS from services.subvault.settings.\n"
      + import ./lib/toml.nix { inherit lib; } document;

    systemd.services = lib.mkMerge [
      (lib.mapAttrs (_: service: service // { path = started ++ cfg.path; }) units.services)
      (mkIf (compressed != [ ]) {
        subvault-attributes = {
          description = "Compression of single subvolumes";
          wantedBy = [ "multi-user.target" ];
          unitConfig.RequiresMountsFor = compressed;
          serviceConfig = {
            Type = "oneshot";
            RemainAfterExit = true;
            ExecStart = attributes.commands "${pkgs.btrfs-progs}/bin/btrfs" cfg.attributes;
          };
        };
      })
    ];

    systemd.timers = units.timers;

    systemd.slices = units.slices;

    systemd.tmpfiles.rules = attributes.tmpfiles cfg.attributes;

    services.udev.packages = mkIf (rendered.rules != "") [
      (pkgs.writeTextDir "lib/udev/rules.d/90-subvault.rules" rendered.rules)
    ];
  };
}
