/*
 * crypt() for FRR without libcrypt: see the comment in the spec's %build.
 *
 * Included before everything else, therefore without an #include of its own.  FRR compares the result with
 * strcmp(): where DES_crypt() gives NULL (no usable salt), libcrypt's "*0" is given, which equals no hash.
 */
#ifndef LVS_CRYPT_H
#define LVS_CRYPT_H

extern char *DES_crypt(const char *buf, const char *salt);

static inline __attribute__((unused)) char *lvs_crypt(const char *key, const char *salt)
{
	static char failed[] = "*0";
	char *hash = DES_crypt(key, salt);

	return hash ? hash : failed;
}

#define crypt lvs_crypt

#endif
