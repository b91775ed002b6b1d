# The settings of the module as the configuration has them: without what is not said, and with lists of tables.
{ lib }:
settings:
let
  said =
    value:
    if builtins.isAttrs value then
      lib.mapAttrs (_: said) (lib.filterAttrs (_: inner: inner != null) value)
    else
      value;

  tables = lib.filterAttrs (_: table: table != { }) (
    said {
      inherit (settings)
        host
        schedule
        keep
        space
        objectives
        cost
        ;
    }
  );

  lists = lib.filterAttrs (_: list: list != [ ]) (
    lib.mapAttrs (_: named: map said (builtins.attrValues named)) {
      inherit (settings)
        subvolume
        group
        hook
        target
        ;
    }
  );
in
tables // lists
