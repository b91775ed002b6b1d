# The layouts: what each profile has, and that they keep to how Btrfs works.
{ lib }:
let
  layouts = import ../disko { inherit lib; };

  one = {
    disks.main = "/dev/disk/by-id/one";
  };
  two = {
    disks = {
      primary = "/dev/disk/by-id/one";
      secondary = "/dev/disk/by-id/two";
    };
  };
  everything = {
    user = "ada";
    databases = true;
  };

  all = {
    dual-boot-desktop = layouts.dual-boot-desktop {
      disks = {
        main = "/dev/disk/by-id/one";
        usb = "/dev/disk/by-id/two";
      };
    };
    dual-nvme-laptop = layouts.dual-nvme-laptop (two // everything);
    impermanent-server = layouts.impermanent-server one;
    proxmox-host = layouts.proxmox-host one;
    server = layouts.server (one // everything);
    single-nvme-laptop = layouts.single-nvme-laptop (one // { databases = true; });
  };

  poolsOf =
    layout:
    builtins.filter (content: (content.type or null) == "btrfs") (
      builtins.concatMap (
        disk:
        map (partition: partition.content or { }) (builtins.attrValues disk.content.partitions)
      ) (builtins.attrValues layout.devices.disk)
    );

  subvolumesOf = layout: map (pool: pool.subvolumes) (poolsOf layout);

  mountedAt =
    layout:
    lib.mapAttrs (_: sub: sub.mountpoint or null) (
      builtins.foldl' (one: other: one // other) { } (subvolumesOf layout)
    );

  # The options that hold for a whole pool: all that the VFS does not look at.
  ofThePool = builtins.filter (
    option:
    !(builtins.elem option [
      "noatime"
      "nodev"
      "nosuid"
      "noexec"
      "ro"
    ])
  );

  mountOptions =
    pool:
    map (sub: sub.mountOptions) (
      builtins.filter (sub: sub ? mountOptions) (builtins.attrValues pool.subvolumes)
    );

  allPools = builtins.concatMap poolsOf (builtins.attrValues all);

  attributesOf = layout: lib.filterAttrs (_: attribute: attribute.noCow) layout.subvaultAttributes;
in
{
  testThereIsATestOfEachLayout = {
    expr = builtins.attrNames all;
    expected = builtins.attrNames layouts;
  };

  testAPoolIsMountedInOneWay = {
    expr = builtins.all (
      pool: builtins.length (lib.unique (map ofThePool (mountOptions pool))) <= 1
    ) allPools;
    expected = true;
  };

  testCopyOnWriteIsNeverSwitchedOffForAPool = {
    expr = builtins.any (builtins.elem "nodatacow") (builtins.concatMap mountOptions allPools);
    expected = false;
  };

  testEachMountHasNoAccessTimes = {
    expr = builtins.all (builtins.elem "noatime") (builtins.concatMap mountOptions allPools);
    expected = true;
  };

  testDualNvmeLaptop = {
    expr = mountedAt all.dual-nvme-laptop;
    expected = {
      "@" = "/";
      "@home" = "/home";
      "@dev-projects" = "/home/ada/dev";
      "@nix" = "/nix";
      "@log" = "/var/log";
      "@containers" = "/var/lib/containers";
      "@cache" = "/var/cache";
      "@podman-cache" = "/var/cache/podman";
      "@snapshots" = "/.snapshots";
      "@tmp" = "/tmp";
      "@user-cache" = "/home/ada/.cache";
      "@postgresql" = "/var/lib/postgresql";
      "@redis" = "/var/lib/redis";
      "@backups" = "/var/backup";
    };
  };

  testTwoDisksAreTwoPools = {
    expr = map builtins.attrNames (subvolumesOf (layouts.dual-nvme-laptop two));
    expected = [
      [
        "@"
        "@home"
        "@log"
        "@nix"
      ]
      [
        "@cache"
        "@containers"
        "@podman-cache"
        "@snapshots"
        "@tmp"
      ]
    ];
  };

  testSingleNvmeLaptop = {
    expr = mountedAt (layouts.single-nvme-laptop one);
    expected = {
      "@" = "/";
      "@home" = "/home";
      "@nix" = "/nix";
      "@log" = "/var/log";
      "@containers" = "/var/lib/containers";
      "@backups" = "/var/backup";
    };
  };

  testServer = {
    expr = mountedAt (layouts.server (one // { user = "ada"; }));
    expected = {
      "@" = "/";
      "@home" = "/home";
      "@dev" = "/home/ada/dev";
      "@config" = "/home/ada/.config";
      "@local" = "/home/ada/.local";
      "@user-cache" = "/home/ada/.cache";
      "@ai-tools" = "/home/ada/.ai-tools";
      "@nix" = "/nix";
      "@log" = "/var/log";
      "@var-cache" = "/var/cache";
      "@tmp" = "/tmp";
      "@containers" = "/var/lib/containers";
      "@swap" = "/swap";
    };
  };

  testImpermanentServer = {
    expr = {
      inherit (all.impermanent-server) ephemeral;
      at = mountedAt all.impermanent-server;
      isNeededForBoot = all.impermanent-server.module.fileSystems."/persist".neededForBoot;
    };
    expected = {
      ephemeral = [
        "@"
        "@cache"
        "@var-tmp"
      ];
      at = {
        "@" = "/";
        "@cache" = "/var/cache";
        "@var-tmp" = "/var/tmp";
        "@nix" = "/nix";
        "@persist" = "/persist";
        "@log" = "/var/log";
        "@services" = "/var/lib/services";
        "@caddy" = "/var/lib/caddy";
        "@backup" = "/var/backup";
        "@containers" = "/var/lib/containers";
        "@snapshots" = "/.snapshots";
        old_roots = null;
      };
      isNeededForBoot = true;
    };
  };

  testDualBootDesktop = {
    expr = {
      at = mountedAt all.dual-boot-desktop;
      labels = map (pool: pool.extraArgs) (poolsOf all.dual-boot-desktop);
      usb = all.dual-boot-desktop.devices.disk.usb.destroy;
      withoutUsb = builtins.attrNames (layouts.dual-boot-desktop one).devices.disk;
    };
    expected = {
      at = {
        "@rootNixOS" = "/";
        "@rootTW" = null;
        "@rootF41" = null;
        "@rootNobara" = null;
        "@nix" = "/nix";
        "@home" = "/home";
        "@snapshots" = "/.snapshots";
        Atlantis-meta = "/srv/meta";
      };
      labels = [
        [
          "--label"
          "LINPOOL"
        ]
        [
          "--label"
          "LINBKUP"
        ]
      ];
      usb = false;
      withoutUsb = [ "main" ];
    };
  };

  testProxmoxHost = {
    expr = mountedAt all.proxmox-host;
    expected = {
      data = "/srv/data/data";
      root = "/srv/data/root";
      home = "/srv/data/home";
    };
  };

  testDatabasesAndContainersAreOverwrittenInPlace = {
    expr = builtins.attrNames (attributesOf all.server);
    expected = [
      "/tmp"
      "/var/lib/containers"
      "/var/lib/postgresql"
      "/var/lib/redis"
    ];
  };

  testTheStoreOfNixKeepsCopyOnWriteUnlessItIsSaid = {
    expr = map (layout: layout.subvaultAttributes."/nix") [
      (layouts.server one)
      (layouts.server (one // { nixNoCow = true; }))
    ];
    expected = [
      {
        noCow = false;
        compression = "zstd:1";
        owner = null;
      }
      {
        noCow = true;
        compression = null;
        owner = null;
      }
    ];
  };

  testAttributesAreSetWhenThePoolIsMade = {
    expr = (builtins.head (poolsOf (layouts.single-nvme-laptop one))).postCreateHook;
    expected = ''
      top=$(mktemp -d)
      mount -t btrfs -o subvol=/ "$device" "$top"
      trap 'umount "$top"; rmdir "$top"' EXIT
      chattr +C "$top/@containers"
      btrfs property set "$top/@nix" compression zstd
    '';
  };

  testNothingIsBothOverwrittenInPlaceAndCompressed = {
    expr = builtins.concatMap (
      layout:
      builtins.filter (attribute: attribute.noCow && attribute.compression != null) (
        builtins.attrValues layout.subvaultAttributes
      )
    ) (builtins.attrValues all);
    expected = [ ];
  };
}
