# The units: what they are made of is found in the settings. That they are the same as those of `subvault render systemd` is
# tested beside it (crates/render/tests/main/nix.rs), with these very functions.
{ lib }:
let
  wantedOf =
    said:
    import ../lib/wanted.nix { inherit lib; } {
      program = "/bin/subvault";
      settings =
        (lib.evalModules {
          modules = [
            { options = import ../lib/options.nix { inherit lib; }; }
            said
          ];
        }).config;
    };

  calendar = import ../lib/calendar.nix { inherit lib; };
  path = import ../lib/path.nix { inherit lib; };
  words = import ../lib/words.nix { inherit lib; };
  render = import ../lib/units.nix { inherit lib; };

  uuid = "5F0C5D63-7a7e-4f4b-9d0e-0c1a58a2f001";
in
{
  testNothingAsked = {
    expr = wantedOf { };
    expected = {
      program = "/bin/subvault";
      config = null;
      state = "subvault";
      writes = [ "/var/lib/subvault" ];
      wake = [ ];
      zone = null;
      disks = [ ];
      credentials = [ ];
      network = false;
      hooks = false;
      idle_io = false;
      tries_hourly = false;
    };
  };

  testALaptopMakesRoom = {
    expr =
      let
        ofProfile = profile: {
          inherit (wantedOf { host.profile = profile; }) idle_io tries_hourly;
        };
      in
      map ofProfile [
        "dual-nvme-laptop"
        "desktop"
        "server"
      ];
    expected = [
      {
        idle_io = true;
        tries_hourly = true;
      }
      {
        idle_io = true;
        tries_hourly = false;
      }
      {
        idle_io = false;
        tries_hourly = false;
      }
    ];
  };

  testSchedulesComeFromWhoeverSaysThem = {
    expr =
      (wantedOf {
        schedule.snapshot = "daily";
        subvolume = {
          a = {
            path = "/a";
            snapshot = "weekly";
          };
          b.path = "/b";
          c.path = "/c";
          d = {
            path = "/d";
            snapshot = "never";
          };
        };
        group.g = {
          subvolumes = [
            "a"
            "b"
          ];
          snapshot = "monthly";
        };
        target.t.directory = "/t";
        target.u = {
          directory = "/u";
          schedule = "Sun 03:00";
        };
        target.copies.btrfs.directory = "/copies";
      }).wake;
    expected = [
      "weekly"
      "monthly"
      "daily"
      "daily"
      "Sun 03:00"
      "daily"
    ];
  };

  testWhereSnapshotsAndObjectsAppear = {
    expr =
      (wantedOf {
        host.state = "/var/lib/x/y";
        subvolume.a.path = "/a";
        subvolume.b = {
          path = "/b";
          snapshots = "/usr/snapshots/b";
        };
        target.t.directory = "/usr/b";
        target.copies.btrfs.directory = "/copies";
        target.disk.btrfs = {
          directory = "copies";
          inherit uuid;
        };
        target.far.btrfs = {
          directory = "/far";
          ssh.host = "a@b";
        };
      }).writes;
    expected = [
      "/a"
      "/copies"
      "/usr/b"
      "/usr/snapshots"
      "/var/lib/x/y"
    ];
  };

  testDisksAreKnownByWhatIsAroundThem = {
    expr =
      (wantedOf {
        target.plain.btrfs = {
          directory = "copies";
          inherit uuid;
        };
        target.safe.btrfs = {
          directory = "copies";
          uuid = "00000000-0000-0000-0000-000000000000";
          luks = {
            inherit uuid;
            key_file = "/key";
          };
        };
      }).disks;
    expected = [
      {
        target = "plain";
        kind = "btrfs";
        uuid = lib.toLower uuid;
      }
      {
        target = "safe";
        kind = "crypto_LUKS";
        uuid = lib.toLower uuid;
      }
    ];
  };

  testCredentialsWithoutADirectoryAreHandedOn = {
    expr =
      let
        bucket = file: {
          s3 = {
            provider = "generic";
            bucket = "b";
            region = "r";
            credentials_file = file;
          };
        };
        wanted = wantedOf {
          target.a = bucket "z.credentials";
          target.b = bucket "a.credentials";
          target.c = bucket "z.credentials";
          target.d = bucket "/etc/keys/d";
        };
      in
      {
        inherit (wanted) credentials network;
      };
    expected = {
      credentials = [
        {
          name = "a.credentials";
          file = "/etc/subvault/a.credentials";
        }
        {
          name = "z.credentials";
          file = "/etc/subvault/z.credentials";
        }
      ];
      network = true;
    };
  };

  testZonesAreSeen = {
    expr = builtins.filter calendar.namesAZone [
      "hourly"
      "Sun 03:00"
      "Mon..Fri"
      "sat,Sunday"
      "*-*-01 04:00 Europe/Berlin"
      "daily UTC"
      "03:00 America/Port-au-Prince"
      "02:00"
    ];
    expected = [
      "*-*-01 04:00 Europe/Berlin"
      "daily UTC"
      "03:00 America/Port-au-Prince"
    ];
  };

  testPathsAreComparedByTheirParts = {
    expr = {
      below = map (path.below "/var/lib") [
        "/var/lib/subvault"
        "/var/lib/a/b/"
        "/var/lib"
        "/var/library"
      ];
      sorted = path.sorted [
        "/usr/a-b"
        "/usr/a/b"
        "/usr/a"
        "/"
        "/usr/a"
      ];
      parents = map path.parent [
        "/a/b"
        "/a"
      ];
    };
    expected = {
      below = [
        "subvault"
        "a/b"
        null
        null
      ];
      sorted = [
        "/"
        "/usr/a"
        "/usr/a/b"
        "/usr/a-b"
      ];
      parents = [
        "/a"
        "/"
      ];
    };
  };

  testWordsAreReadBackAsTheyAre = {
    expr = [
      (words.argument "/usr/bin/subvault")
      (words.argument "/opt/my tools/subvault")
      (words.argument ''/a%b$c"d\e'')
      (words.optional "/usr/my $x")
      (words.setting "/a b/100%")
    ];
    expected = [
      "/usr/bin/subvault"
      ''"/opt/my tools/subvault"''
      ''"/a%%b$$c\"d\\e"''
      ''"-/usr/my $x"''
      "/a b/100%%"
    ];
  };

  testNothingIsStartedThatIsNeverDue = {
    expr = render (wantedOf {
      subvolume.a = {
        path = "/a";
        snapshot = "never";
      };
    });
    expected = {
      units = { };
      rules = "";
    };
  };
}
