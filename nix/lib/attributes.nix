# What is wanted of single subvolumes, as inode attributes: Btrfs has one set of mount options for a whole pool, and the
# first mount decides.
#
# `attributes` is a set by path of { noCow, compression, owner }. New files get them; files that are there stay as they are.
{ lib }:
let
  words = import ./words.nix { inherit lib; };

  of =
    isWanted: attributes:
    builtins.filter (path: isWanted attributes.${path}) (builtins.attrNames attributes);
in
rec {
  # What the property is set to. The kernel does not look at a level there: that of the pool holds.
  algorithm = compression: builtins.head (lib.splitString ":" compression);

  compressed = of (attribute: attribute.compression != null);

  # Lines of tmpfiles.d, which are read once local filesystems are mounted.
  tmpfiles =
    attributes:
    map (path: "h ${words.path path} - - - - +C") (of (attribute: attribute.noCow) attributes)
    ++ map (path: "d ${words.path path} 0700 ${attributes.${path}.owner} users - -") (
      of (attribute: attribute.owner != null) attributes
    );

  # Command lines of a unit; `btrfs` is the program.
  commands =
    btrfs: attributes:
    map (
      path:
      "${words.argument btrfs} property set ${words.argument path} compression ${
        algorithm attributes.${path}.compression
      }"
    ) (compressed attributes);
}
