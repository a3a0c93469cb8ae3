"""Starts a process of the sandbox without the package's ``__init__`` files.

They import third-party packages, and a pit has the standard library only. What is started is a pit;
with ``--warm`` a warm parent; with ``--slot`` or ``--listen`` the first process of a container that
holds nothing else; with ``--first`` and a command the first process of the tool's container.
"""

import sys
import types
from pathlib import Path

_here = Path(__file__).resolve().parent
for _name, _folder in (("localdistill", _here.parent), ("localdistill.sandbox", _here)):
    _package = types.ModuleType(_name)
    _package.__path__ = [str(_folder)]
    sys.modules[_name] = _package

if sys.argv[1:2] == ["--warm"]:
    from localdistill.sandbox import confined

    confined.main(sys.argv[2])
elif sys.argv[1:2] == ["--slot"]:
    from localdistill.sandbox import slot_server

    slot_server.main(sys.argv[2])
elif sys.argv[1:2] == ["--listen"]:
    from localdistill.sandbox import slot_server

    slot_server.listen(sys.argv[2])
elif sys.argv[1:2] == ["--first"]:
    from localdistill.sandbox import first_process

    first_process.main(sys.argv[2:])
else:
    from localdistill.sandbox import pit

    pit.main()
