# The options of the module: the keys of the configuration, with types, and what is not said is not written.
{ lib }:
let
  page = import ../lib/page.nix { text = builtins.readFile ../../docs/configuration.md; };
  inherit (import ../lib/keys.nix { inherit lib; }) tables;

  settings =
    modules:
    (lib.evalModules {
      modules = [
        {
          options.settings = lib.mkOption {
            type = lib.types.submodule { options = import ../lib/options.nix { inherit lib; }; };
            default = { };
          };
        }
      ]
      ++ map (said: { settings = said; }) modules;
    }).config.settings;

  document = modules: import ../lib/document.nix { inherit lib; } (settings modules);

  isRefused = said: {
    expr = document [ said ];
    expectedError.type = "ThrownError";
  };

  bucket = {
    provider = "generic";
    bucket = "b";
    region = "r";
  };
in
{
  testThePageAndTheOptionsHaveTheSameKeys = {
    expr = lib.mapAttrs (_: builtins.attrNames) tables;
    expected = lib.mapAttrs (_: builtins.attrNames) page;
  };

  testThePageIsUnderstood = {
    expr = {
      inherit (page."[host]") name;
      inherit (page."[[hook]]") input;
      path = page."[[subvolume]]".path.default;
    };
    expected = {
      name = {
        default = "the host name";
        meaning = "What this machine is called in stores. Its first run claims the name there; another machine of that name is refused.";
      };
      input = {
        default = "";
        meaning = "What `hold` reads first.";
      };
      path = "must be given";
    };
  };

  testNothingIsSaidUnlessItIs = {
    expr = document [ ];
    expected = { };
  };

  testModulesAddToEachOther = {
    expr = document [
      { subvolume.home.path = "/home"; }
      { subvolume.home.keep.daily = lib.mkDefault 7; }
      {
        subvolume.home.keep.daily = 14;
        host.name = "laptop";
      }
      { subvolume."a.b+c".path = "/srv"; }
    ];
    expected = {
      host.name = "laptop";
      subvolume = [
        {
          name = "a.b+c";
          path = "/srv";
        }
        {
          name = "home";
          path = "/home";
          keep.daily = 14;
        }
      ];
    };
  };

  testAnEmptyTableThatWasAskedForStays = {
    expr =
      (builtins.head
        (document [
          {
            target.disk = {
              directory = "/mnt";
              recipients = [ ];
              encryption = "off";
            };
            subvolume.home = {
              path = "/home";
              keep = { };
            };
          }
        ]).subvolume
      ).keep;
    expected = { };
  };

  testServerSideEncryptionHasTwoForms = {
    expr =
      map
        (
          said:
          (builtins.head
            (document [
              {
                target.t.s3 = bucket // {
                  server_side_encryption = said;
                };
              }
            ]).target
          ).s3.server_side_encryption
        )
        [
          "aes256"
          { kms.key_id = "k"; }
        ];
    expected = [
      "aes256"
      { kms.key_id = "k"; }
    ];
  };

  testUnknownKeysAreRefused = isRefused { host.nmae = "x"; };
  testUnknownTablesAreRefused = isRefused { hots.name = "x"; };
  testWhatMustBeGivenIsAskedFor = isRefused { subvolume.home.snapshot = "daily"; };
  testPathsAreAbsolute = isRefused { subvolume.home.path = "home"; };
  testPathsOfNixAreNoTexts = isRefused { subvolume.home.path = ./.; };
  testNamesAreSafe = isRefused { subvolume."a/b".path = "/home"; };
  testNumbersAreNoTexts = isRefused { keep.daily = "7"; };
  testAtLeastOneIsKept = isRefused { keep.newest = 0; };
  testWordsAreKnown = isRefused {
    subvolume.home = {
      path = "/home";
      nested = "sometimes";
    };
  };
  testCompressionHasLevels = isRefused { target.t.compression = "zstd-20"; };
  testUuidsAreUuids = isRefused {
    target.t.btrfs = {
      directory = "x";
      uuid = "5f0c5d63";
    };
  };
  testContradictionsAreRefused = {
    expr = document [
      { host.name = "a"; }
      { host.name = "b"; }
    ];
    expectedError.type = "ThrownError";
  };
}
