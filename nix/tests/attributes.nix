# What is wanted of single subvolumes, as lines and commands that set it.
{ lib }:
let
  attributes = import ../lib/attributes.nix { inherit lib; };

  usual = {
    noCow = false;
    compression = null;
    owner = null;
  };
in
{
  testLines = {
    expr = attributes.tmpfiles {
      "/var/lib/my data/100%" = usual // {
        noCow = true;
      };
      "/home/ada/dev" = usual // {
        noCow = true;
        owner = "ada";
      };
      "/nix" = usual // {
        compression = "zstd:1";
      };
      "/srv" = usual;
    };
    expected = [
      "h /home/ada/dev - - - - +C"
      ''h "/var/lib/my data/100%%" - - - - +C''
      "d /home/ada/dev 0700 ada users - -"
    ];
  };

  testCommandsHaveNoLevel = {
    expr = attributes.commands "/bin/btrfs" {
      "/nix" = usual // {
        compression = "zstd:1";
      };
      "/var/my cache" = usual // {
        compression = "none";
      };
      "/srv" = usual;
    };
    expected = [
      "/bin/btrfs property set /nix compression zstd"
      ''/bin/btrfs property set "/var/my cache" compression none''
    ];
  };
}
