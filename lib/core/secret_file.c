/*
 * Secrets in files. One that others can read is refused, so that nobody learns of a loose mode
 * only after the secret is known.
 */
#include "core/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 };


abdm_err_t
abdm_secret_file_read(const char *what, const char *path, char *problem, size_t size, char **out)
{
    char line[LINE_MAX_BYTES + 2] = "";
    const char *fault = NULL;
    struct stat st;
    ssize_t n = -1;

    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hang the start */
    if (fd < 0 || fstat(fd, &st) != 0)
        fault = strerror(errno);
    else if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        fault = "it must be a file that only its owner can read (chmod 600)";
    else if ((n = read(fd, line, sizeof line - 1)) < 0)
        fault = strerror(errno);
    if (fd >= 0)
        close(fd);

    if (fault == NULL) {
        line[n] = '\0';
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '\0')
            fault = "its first line is empty";
        else if (strlen(line) > LINE_MAX_BYTES)
            fault = "its first line is too long";
        else
            *out = abdm_str_dup(abdm_str(line));
    }
    abdm_wipe(line, sizeof line);
    if (fault != NULL) {
        snprintf(problem, size, "%s \"%.300s\": %s", what, path, fault);
        return ABDM_ERR(CONFIG, "a secret's file");
    }
    return *out == NULL ? ABDM_ERR(MEMORY, "a secret") : ABDM_NO_ERR;
}
